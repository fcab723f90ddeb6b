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

_ABOUT = 0.44
_COVERED = 0.5
"""Likeness by the default embedder, and the share of the question's content words that the first sources hold together:
both are reached by 79 % of 261 questions that packages answer, and by 21 % of 96 on what they lack."""
_NEAR, _FOREIGN = 0.36, 0.31
"""Likenesses that 1 % and none of the answered ones fall short of, 25 and 6 % of those on what is lacking, and 49 and
48 of 51 questions about other fields (`bench/README.md`)."""
_COVERED_ALONE, _TOUCHED_ALONE = 0.6, 0.3
"""Shares of the words, where nothing was read: by another kind of embedder, or for want of memory."""
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
        """able above across add again against ahead allow allowed almost alone along already although always
        among another anybody anyone anyway apart appear appeared appears around arrive arrived arrives ask
        asked avoid away back bad be because become becomes begin begins behind belong belongs below beneath
        beside between beyond big bigger biggest bring brought built call called cause caused causes certain
        change changed check checked choose chosen come comes compute computed contain contained contains deal
        deals decide decided decides despite determine determined determines different difficult during easy
        end ends ensure ensures ever everyone everything exact exactly except exist existed exists fall falls
        far few fewer find fine fit fits fitted found full gave give given gives go goes gone good great half
        happen hard hardly help helped helps hold holds huge include included includes instead involve involved
        involves keep keeps kept know known knows lack lacks large last lead leads leave leaves left letting
        lie lies like likely little long look looked looks made main make makes many maybe meant mere most move
        moved much need needed needs never new next nice nobody nothing notice noticed notices occur occurred
        occurs odd often old onto open opened ordinary outside part particular perhaps pick picked picks
        possible prefer preferred prefers proper provide provided provides put puts quite rather reach read
        reads real really remain remained remains require required requires right said same says see seem
        seemed seems seen send sent separate set several short similar simple since single small smaller
        smallest somebody somehow someone sometimes soon sort special specific stand start started stay still
        stop stopped strange suppose supposed sure take taken takes tells them thing things though threw
        through throughout throw thrown throws time tiny together told top toward towards treat treated treats
        try turn turned turns twice two underneath understand understands understood unknown unless upon usual
        usually various via want wanted wants well went whenever whereas whole wide wider worked working worth
        write written wrong""",
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
    return {
        stem: word
        for stem, word in spelled(question).items()
        if word.lower() not in _PLAIN and not word[0].isdigit()  # a number is an example of a value
    }


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
