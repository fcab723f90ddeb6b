"""Whether a passage says a sentence, and where.

A small model builds sentences out of the words that it is shown, and those words in a new order, or with the middle
left out, say something else. So what it writes is `said` only where all content words stand in the passage in their
order and close together (`runs`), every name and number of it as it is written, with the same "not" before the same
word on both sides or on neither, no "may" left out and no "all" put in: next to a quotation. A model that names its
sources and writes in words of its own needs only to `overlap` with them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pointsman.chat.runs import Lines, runs
from pointsman.chat.sources import Source
from pointsman.chat.words import CONDITIONS, content_words, coverage, general_words, word_list

_NEAR = 8
"""Lines of a passage among which a source named by a strong model holds most of a sentence."""
_LEAST = 3
"""Content words of a sentence, and words of it as written: fewer stand in any passage by chance, such as those of "It
is a part of the code", and a lone `ConnectionLost` says nothing."""
_LEAST_OWN = 2
"""Of them, at least, beside what the passage is called: "`get_all` gets all" says nothing."""
_OVERLAPS = 0.5
"""Share of a sentence's content words that a source named by a strong model must hold, in any order."""
_QUOTED = re.compile(r"`+([^`\n]{1,80})`+")
_NAME = re.compile(r"--?[A-Za-z][\w-]+|[A-Za-z_]\w*(?:\.\w+)+|\w*(?:[a-z\d][A-Z]|_\w|\w_)\w*|\d+(?:\.\d+)*")
_PLACE = re.compile(r"[./\s:]+")
_NOT = re.compile(r"\b(?:not?|never|none|nothing|cannot|without|unless|except|neither|nor)\b|n't\b", re.I)
_QUANTITY = re.compile(
    r"\b(?:all|always|any|both|each|either|every|less|least|more|most|once|one|only|other|same|some)\b", re.I
)
"""How many or which of them is as much of a claim as what: it has to be there."""
_MODAL = re.compile(r"\b(?:may|might|can|could|should|must)\b", re.I)
"""What "may" be is not said to be."""
_POINTS = re.compile(r"\w+\s+(?:it|them|this|that|these|those|ones?)$", re.I)
"""An end that stands for something, which may be what the passage names in its place."""


def said(sentence: str, source: Source, asked: frozenset[str] = frozenset()) -> Lines | None:
    """The fewest lines of `source` that say `sentence`; None when it does not.

    `asked` are the content words of the question: a sentence that has no others tells nothing.
    """
    words = word_list(sentence)
    told = set(words) - CONDITIONS
    called = names(sentence)
    # What the passage is called need not stand in its lines again.
    own = [name for name in called if _is_called(source, name)]
    rest = _without(sentence, own)
    bare, general = word_list(rest), general_words(rest)
    few = min(len(told), len(sentence.split())) < _LEAST or len(set(bare) - CONDITIONS) < _LEAST_OWN
    if few or not told - asked or len(own) > len(set(own)):
        return None
    # Of what was left out of a passage, a line may turn the next one's meaning.
    lines = source.passage
    found = {*runs(words, lines), *runs(bare, lines)}
    for first, last in sorted(found, key=lambda run: run[1] - run[0]):
        text = _text(lines, first, last)
        stand = _stand(called, source, text) and all(word in text.lower() for word in general)
        if stand and _same_claim(sentence, text, _text(lines, first, last + 1)):
            return first, last
    return None


def overlap(sentence: str, source: Source) -> Lines | None:
    """The lines of `source` that hold most of `sentence`; None when a name or too many of its words are not there."""
    words = content_words(sentence)
    if not _stand(names(sentence), source, source.text) or coverage(words, source.words) < _OVERLAPS:
        return None
    near = [(number, words & content_words(line)) for number, line in source.lines]
    best = max(
        range(len(near)), key=lambda at: len(frozenset[str]().union(*(held for _, held in near[at : at + _NEAR])))
    )
    touched = [number for number, held in near[best : best + _NEAR] if held] or [near[0][0]]
    return touched[0], touched[-1]


def names(sentence: str) -> list[str]:
    """What must be spelled in a passage as it is here: in backquotes, with an inner capital or underscore, a number."""
    bare = _QUOTED.sub(" ", sentence)
    return [name.strip().rstrip("()") for name in (*_QUOTED.findall(sentence), *_NAME.findall(bare))]


def _same_claim(sentence: str, text: str, further: str) -> bool:
    """Whether `sentence` denies, doubts, counts and ends as `text` does.

    `further` is the text with its next line, where "all" or "it" may stand: a run ends with its last content word.
    """
    denied, there = _all(_NOT, sentence), _all(_NOT, text)
    if not denied <= there or bool(denied) != bool(there):
        return False
    if _denied(sentence) != _denied(text) & set(word_list(sentence)):
        return False
    end = _POINTS.search(sentence.rstrip(" .!"))
    if end and not re.search(r"\W+".join(end[0].split()), further, re.I):
        return False
    return _all(_MODAL, text) <= _all(_MODAL, sentence) and _all(_QUANTITY, sentence) <= _all(_QUANTITY, further)


def _denied(text: str) -> set[str]:
    """The content word behind each "not", by its stem."""
    return {stem for found in _NOT.finditer(text) for stem in word_list(text[found.end() :])[:1]}


def _text(lines: Sequence[tuple[int, str]], first: int, last: int) -> str:
    return "\n".join(line for number, line in lines if first <= number <= last)


def _all(words: re.Pattern[str], text: str) -> set[str]:
    return {found.lower() for found in words.findall(text)}


def _without(sentence: str, called: Sequence[str]) -> str:
    """Each name taken out once: said again, its words are words of the sentence."""
    for name in called:
        sentence = sentence.replace(name, " ", 1)
    return sentence


def _is_called(source: Source, name: str) -> bool:
    """Whether it is a whole name of the passage's place, underscores around it aside: `matches` or `Route.matches` of a
    method, `routing.py`."""
    own = {part.strip("_") for part in _PLACE.split(f"{source.symbol}/{source.path}")}
    return all(part.strip("_") in own for part in _PLACE.split(name))


def _stand(called: Sequence[str], source: Source, text: str) -> bool:
    return all(name in text or _is_called(source, name) for name in called)
