"""Documentation as plain words: what a doc comment or docstring says, without its markup, and the sentence to ask for.

Knows nothing of files or grammars.
"""

from __future__ import annotations

import re

from pointsman_indexer.terms import terms

_SHORTEST, _LONGEST_WORDS, _LONGEST = 4, 60, 400
_MARKERS = re.compile(r"^\s*(?:/\*[*!]?|\*/|\*(?!\*)|//[/!]?|#+)\s?|\s*\*/\s*$")
_QUOTES = re.compile(r"""^[rRuUbB]{0,2}('''|\"\"\"|'|\")(.*)\1$""", re.S)
_SECTION = re.compile(
    r"^\s*(?:[@\\](?!link|code|see|p\b|c\b|brief)\w+|:\w+[^:`]*:(?!`)|>>>|\.\. |={3,}|-{3,}|~{3,}|#{1,4} |```|\||\+--|"
    r"(?:args?|arguments|param(?:eter)?s?|returns?|raises|yields?|examples?|notes?|attributes|usage|references|"
    r"see also|keyword arguments|other parameters|example usage|errors|safety|panics)\s*:*\s*$)",
    re.I,
)
_MARKUP = (
    (re.compile(r"\{@\w+\s+([^}]*)\}"), r"\1"),
    (re.compile(r":[\w:+-]+:`[~!]?(?:[\w.]*\.)?([^`<]*?)(?:\s*<[^>]*>)?`"), r"\1"),
    (re.compile(r"`([^`<]*?)\s*<[^>]*>`_+"), r"\1"),
    (re.compile(r"!?\[([^\]]*)\](?:\([^)]*\)|\[[^\]]*\])?"), r"\1"),
    (re.compile(r"</?[A-Za-z][^>]*>"), " "),
    (re.compile(r"[@\\](?:brief|see|c|p)\s+"), ""),
    (re.compile(r"``?|\*\*|(?<!\w)[*_]+(?=\w)|(?<=\w)[*_]+(?!\w)"), ""),
    (re.compile(r"https?://\S+"), ""),
)
_SENTENCE = re.compile(r"(?<!e\.g)(?<!i\.e)(?<!etc)(?<!\bvs)(?<!\bcf)[.!?:](?=\s+[A-Z(\[\"']|\s*$)")
_WORDS = re.compile(r"[A-Za-z][\w'-]*")
_NOT_A_DESCRIPTION = re.compile(
    r"deprecat|^\s*(?:see |todo|fixme|inherit|override|internal|copyright|licen[cs]e|auto-?generated|private\b|noqa|"
    r"eslint|type:|todo|xxx|implements? (?:the )?\w+(?: interface)?\.?$)|obsolete|not implemented",
    re.I,
)
_COMMON_WORDS = """
a an the and or not no of in on at to for from by with without as is are be was were been being it its this that these
those which who what when where how if then than else so such can could may might must should will would do does did
done has have had into out up over under between about after before all any each every some other one two given get
gets set sets return returns use used uses using value values function method class object also only just via whether
there their they them we you your i
"""
_COMMON = frozenset(_COMMON_WORDS.split())
_SUFFIX = re.compile(r"(?:ations?|ions?|ings?|ers?|ors?|ies?|ied|ed|es|s|e|y)$")


def clean(raw: str) -> str:
    """The text of a doc comment or docstring, as it stands in a file, up to its first table of parameters.

    Paragraphs stay apart by an empty line, other line ends become blanks.
    """
    quoted = _QUOTES.match(raw.strip())
    lines = quoted.group(2).splitlines() if quoted else [_MARKERS.sub("", line) for line in raw.splitlines()]
    kept: list[str] = []
    for line in (line.strip() for line in lines):
        if _SECTION.match(line):
            if line[:3] in ("---", "===", "~~~") and kept and kept[-1]:
                kept.pop()  # what it underlines is a title
            if any(kept):
                break
            continue
        kept.append(line)
    text = "\n".join(kept)
    for pattern, replacement in _MARKUP:
        text = pattern.sub(replacement, text)
    return "\n\n".join(" ".join(part.split()) for part in re.split(r"\n\s*\n", text) if part.strip())


def question(doc: str, name: str) -> str:
    """The first sentence of cleaned documentation, or its first paragraph when that says more; "" when it says nothing.

    Nothing is: fewer than four words, another language than English as far as letters tell, a notice, or the words of
    `name` again. A leading `name`, as Go writes it, is left out.
    """
    paragraph = doc.split("\n\n", 1)[0]
    if paragraph.split(" ", 1)[0].strip("():,") == name:
        paragraph = paragraph.partition(" ")[2].lstrip("-:– ")
    end = _SENTENCE.search(paragraph)
    sentence = paragraph[: end.start()] if end else paragraph
    if len(_WORDS.findall(sentence)) < _SHORTEST:
        sentence = paragraph
    text = " ".join(sentence.split()[:_LONGEST_WORDS])[:_LONGEST].strip(" .:;,-")
    words = _WORDS.findall(text)
    foreign = 10 * sum(map(str.isascii, text)) < 9 * len(text)
    symbols = 3 * sum(map(len, words)) < 2 * len(text.replace(" ", ""))
    if len(words) < _SHORTEST or foreign or symbols or _NOT_A_DESCRIPTION.search(text):
        return ""
    return "" if content(text) <= content(name) else text


def sentences(doc: str) -> list[str]:
    """The sentences of cleaned documentation, in order; a paragraph ends one."""
    return [part for paragraph in doc.split("\n\n") for part in _SENTENCE.split(paragraph) if part.strip()]


def words_of(identifier: str) -> list[str]:
    """`parseCookieHeader` and `parse_cookie_header` as parse, cookie, header."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", identifier)]


def content(text: str) -> frozenset[str]:
    """Roots of the words that carry meaning, identifiers in parts: parse, parses, parser and parsing are one."""
    found = (_root(term) for term in terms(text.replace("_", " ")) if term not in _COMMON and not term.isdigit())
    return frozenset(root for root in found if len(root) > 1)


def overlap(query: str, code: str) -> float:
    """Share of the query's meaningful words, by root, that `code` has in its names and text: 0 to 1."""
    asked = content(query)
    return len(asked & content(code)) / len(asked) if asked else 0.0


def _root(word: str) -> str:
    root = _SUFFIX.sub("", word)
    return root if len(root) > 2 else word
