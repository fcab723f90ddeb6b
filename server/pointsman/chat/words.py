"""Content words: what a question, a sentence or a passage is about, comparable across spellings.

Identifiers fall into their parts, endings are cut crudely, and words that carry no subject are left out.
"""

from __future__ import annotations

import re

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*|\d{2,}|[^\W\d_]+")
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
_ENDINGS = (
    "ations",
    "ation",
    "ings",
    "ing",
    "ions",
    "ion",
    "ers",
    "ors",
    "ies",
    "ied",
    "ed",
    "er",
    "or",
    "es",
    "s",
    "e",
    "y",
)
_EMPTY = frozenset(
    re.findall(
        r"\w+",
        """a about after all also an and any are as at be been before both but by can could do does doing done
        each either else every for from get gets had has have having here how however i if in inside into is
        it its itself just let may me might more most must my no nor not now of off on once one only or
        other our out over own per please same shall should since so some such tell than that the their them
        then there these they this those through to too under until up us very via was we were what when
        where whether which while who whom whose why will with within without would yes you your happen
        happens explain describe show use using used work works mean way thing""",
    )
)
_REPOSITORY = frozenset(
    f"{word}{plural}"
    for word in (
        "repository",
        "project",
        "code",
        "codebase",
        "file",
        "function",
        "method",
        "module",
        "source",
        "program",
    )
    for plural in ("", "s")
)
_DENIED = frozenset(
    re.findall(r"\w+", "ain aren couldn didn doesn don hadn hasn haven isn shouldn wasn weren won wouldn")
)
"""What is left of "isn't": nothing that a question is about, but not to be left out of what a sentence says."""

CONDITIONS = frozenset({"if", "unless", "until", "when", "whether", "then", "otherwise", "or"})
"""What makes another statement of the words that follow, or says that what came before them does. Of two that "or"
joins neither is said alone."""


def general_words(text: str) -> frozenset[str]:
    """The words that any text on code may hold, such as "function", behind the first content word of `text`: what it is
    about may be called so, but what is said of it speaks of one."""
    words = [word.lower() for word in _WORD.findall(text)]
    begin = next((at for at, word in enumerate(words) if word_list(word)), len(words))
    return frozenset(word.rstrip("s") for word in words[begin:] if word in _REPOSITORY)


def content_words(text: str, *, about_code: bool = True) -> frozenset[str]:
    """The stems of `text`. With `about_code` false, words that any question on code may hold are left out too."""
    found = set()
    for word in _WORD.findall(text):
        parts = _PARTS.findall(word) or [word]
        found |= {part.lower() for part in parts} | ({word.lower()} if len(parts) > 1 else set())
    skipped = _EMPTY if about_code else _EMPTY | _REPOSITORY | _DENIED
    return frozenset(stem(word) for word in found if len(word) > 1 and word not in skipped)


def word_list(text: str) -> list[str]:
    """The stems of `text` in their order, identifiers as their parts, and conditions as they are, without what any
    text on code may hold."""
    parts = (part.lower() for word in _WORD.findall(text) for part in _PARTS.findall(word) or [word])
    return [
        part if part in CONDITIONS else stem(part)
        for part in parts
        if part in CONDITIONS or (len(part) > 1 and part not in _EMPTY and part not in _REPOSITORY)
    ]


def spelled(text: str) -> dict[str, str]:
    """The plain words of `text`, identifiers left out, by the stems that `content_words` has for them."""
    words = (word for word in _WORD.findall(text) if len(_PARTS.findall(word)) == 1)
    return {next(iter(stems)): word for word in words if len(stems := content_words(word, about_code=False)) == 1}


def stem(word: str) -> str:
    """`word` without a common English ending, as long as three letters stay."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            break
    return word[:-1] if len(word) > 3 and word[-1] == word[-2] else word


def coverage(asked: frozenset[str], found: frozenset[str]) -> float:
    """The share of `asked` that is in `found`; 0 when nothing is asked."""
    return len(asked & found) / len(asked) if asked else 0.0
