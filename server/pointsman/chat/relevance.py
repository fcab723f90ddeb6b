"""Whether passages are about a question at all: a ranking says which is best, never whether it is good.

Four signs: how far one of them says what the question says; the words that question and passages share; whether what
the question calls by name (Kafka, S3, `load_all`) stands in the repository at all; and whether its other words do. Most
questions that packages answer hold no word that the package never says, and few on what it lacks do without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Literal

from pointsman.chat.sources import MOST, Source
from pointsman.chat.words import content_words, coverage, spelled

Standing = Literal["about", "doubtful", "near", "foreign"]
"""`about` and `doubtful`: a model is asked; when it brings nothing that holds, the first is taken to be its weakness,
the second to be the repository's silence. `near`: not answered, but worth a look. `foreign`: not even that."""

_ABOUT = 0.45
_COVERED = 0.5
"""Likeness by the default embedder, and the share of the question's content words that the first sources hold together:
both are reached by 79 % of 261 questions that packages answer, and by 19 % of 96 on what they lack."""
_NEAR, _FOREIGN = 0.37, 0.33
"""Likenesses that 1.5 and 0.4 % of the answered ones fall short of, 29 and 10 % of those on what is lacking, and all
but two of 51 questions about other fields (`bench/README.md`)."""
_COVERED_ALONE, _TOUCHED_ALONE = 0.6, 0.3
"""Shares of the words, where nothing was read."""
_FILE = (
    "py|pyi|js|mjs|jsx|ts|tsx|go|rs|java|c|h|cc|cpp|hpp|cs|rb|php|lua|sh|sql|json|ya?ml|toml|cfg|ini|conf|env|lock|txt|"
    "md|rst|xml|html?|css|csv|log|pdf|ics|zip|tar|gz"
)
_NAME = re.compile(
    rf"`([^`\n]{{2,80}})`|(?<![\w`])([A-Z]\w{{0,40}}(?:-[A-Z]\w{{0,40}}){{1,8}}|\w[\w-]{{0,80}}(?:\.\w{{1,40}}){{0,4}}\.(?:{_FILE})(?!\w)|\w+)"
)
_SEPARATOR = re.compile(r"[-_.\s]+")
_INNER = re.compile(r"\w[A-Z_\d]")
_EVERYWHERE = frozenset(
    {"python", "javascript", "typescript", "rust", "go", "java", "linux", "windows", "macos", "unix"}
)
"""What no code has to mention, for all of it is written in one and runs on another."""
_PLAIN = frozenset(
    re.findall(
        r"\w+",
        """add allow allowed ask asked avoid away back be become becomes begin begins bring brought built call
        called change changed check checked choose chosen come comes compute computed decide decided
        different end ends exact exactly fall falls find found full gave give given gives go goes gone good
        half happen hold holds instead keep keeps kept know known knows large last leave leaves left like
        long look looked looks made make makes many most move moved much need needed needs never new next
        nothing old open opened part put puts read reads really reach same see seen send sent separate set
        several short sort stand start started stay still stop stopped take taken takes them thing things
        time together top told try turn turned turns twice two want wanted wants well went wrong write
        written nobody somebody anybody someone anyone everyone everything""",
    )
)
"""Words that carry no subject by themselves: a repository need not say them to be about the question."""
_MOST_CAPITALS = 2
"""More words with a capital make a headline, or a language that writes its nouns so."""


def judge(
    asked: frozenset[str], sources: Sequence[Source], likeness: float | None, unsaid: Sequence[str] = ()
) -> Standing:
    """`asked` are the content words of the question; `likeness` is the search's, None without one; `unsaid` are
    words of the question that the repository does not hold."""
    if not sources:
        return "foreign"
    together = frozenset[str]().union(*(source.words for source in sources[:MOST]))
    held = coverage(asked, together) if asked else 1.0
    if likeness is None:
        return "about" if held >= _COVERED_ALONE else "near" if held >= _TOUCHED_ALONE else "foreign"
    if likeness < _NEAR:
        return "near" if likeness >= _FOREIGN else "foreign"
    sure = likeness >= _ABOUT and held >= _COVERED
    if unsaid:
        return "near" if not sure else "about" if len(unsaid) == 1 else "doubtful"
    return "about" if likeness >= _ABOUT else "doubtful"


def subjects(question: str) -> dict[str, str]:
    """The words of the question that name a subject, by their stems, as they are spelled in it."""
    return {stem: word for stem, word in spelled(question).items() if word.lower() not in _PLAIN}


def called_by_name(question: str) -> list[str]:
    """Words of the question that can only be the name of something: in backquotes, of a file or a header
    (`Accept-Language`), with an inner capital, digit or underscore, or with a capital inside a sentence. What begins
    with a digit is an example of a value."""
    names: list[str] = []
    capitals: list[str] = []
    for match in _NAME.finditer(question):
        word = match[1] or match[2]
        begins = not question[: match.start()].strip() or question[: match.start()].rstrip()[-1] in ".?!:"
        compound = "-" in word or "." in word
        if match[1] or compound or (_INNER.search(word) and not word[0].isdigit()):
            names.append(word)
        elif word[0].isupper() and len(word) > 1 and not begins and content_words(word):
            capitals.append(word)
    if len(capitals) <= _MOST_CAPITALS:
        names += capitals
    return [name for name in names if name.casefold() not in _EVERYWHERE]


def stands_in(name: str, sources: Sequence[Source]) -> bool:
    """Whether the name occurs, in any spelling, or what it is the plural of."""
    wanted = name.rstrip("()").casefold().removesuffix("s")
    texts = [f"{source.path} {source.symbol} {source.text}".casefold() for source in sources]
    if any(wanted in text for text in texts):
        return True
    plain = _SEPARATOR.sub("", wanted)
    return plain != wanted and any(plain in _SEPARATOR.sub("", text) for text in texts)
