"""Whether a passage says a sentence, and where.

A small model builds sentences out of the words that it is shown, and those words in a new order, or with the middle
left out, say something else. So what it writes is `said` only where all content words stand in the passage in their
order and close together, every name and number of it as it is written, with the same "not" on both sides or on neither
and no "may" or "if" left out: next to a quotation. A model that names its sources and writes in words of its own needs
only to `overlap` with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pointsman.chat.sources import Source
from pointsman.chat.words import CONDITIONS, content_words, coverage, general_words, word_list

Lines = tuple[int, int]
"""First and last, both counted from 1."""
_WINDOW = 8
"""Lines of a passage that may support one sentence."""
_LEAST = 3
"""Content words of a sentence: fewer stand in any passage by chance, such as those of "It is a part of the code"."""
_LEAST_OWN = 2
"""Of them, at least, beside what the passage is called: "`get_all` gets all" says nothing."""
_SKIPPED = 2
"""Content words of the passage that may be left out between two of a sentence; more may be another statement."""
_OVERLAPS = 0.5
"""Share of a sentence's content words that a source named by a strong model must hold, in any order."""
_QUOTED = re.compile(r"`+([^`\n]{1,80})`+")
_NAME = re.compile(r"--?[A-Za-z][\w-]+|[A-Za-z_]\w*(?:\.\w+)+|\w*(?:[a-z\d][A-Z]|_\w|\w_)\w*|\d+(?:\.\d+)*")
_PLACE = re.compile(r"[./\s:]+")
_NOT = re.compile(r"\b(?:not?|never|none|nothing|cannot|without|unless|except|neither|nor)\b|n't\b", re.I)

_MODAL = re.compile(r"\b(?:may|might|can|could|should|must)\b", re.I)
"""What "may" be is not said to be."""


def said(sentence: str, source: Source, asked: frozenset[str] = frozenset()) -> Lines | None:
    """The fewest lines of `source` that say `sentence`; None when it does not.

    `asked` are the content words of the question: a sentence that has no others tells nothing.
    """
    words = word_list(sentence)
    told = set(words) - CONDITIONS
    called = names(sentence)
    # What the passage is called need not stand in its lines again.
    rest = _without(sentence, [name for name in called if _is_called(source, name)])
    bare, general = word_list(rest), general_words(rest)
    if len(told) < _LEAST or len(set(bare) - CONDITIONS) < _LEAST_OWN or not told - asked:
        return None
    denied, modal = _all(_NOT, sentence), _all(_MODAL, sentence)
    runs = {*_runs(words, source.lines), *_runs(bare, source.lines)}
    for first, last in sorted(runs, key=lambda run: run[1] - run[0]):
        text = "\n".join(line for number, line in source.lines if first <= number <= last)
        stand = _stand(called, source, text) and all(word in text.lower() for word in general)
        there = _all(_NOT, text)
        if stand and denied <= there and bool(denied) == bool(there) and _all(_MODAL, text) <= modal:
            return first, last
    return None


def overlap(sentence: str, source: Source) -> Lines | None:
    """The lines of `source` that hold most of `sentence`; None when a name or too many of its words are not there."""
    words = content_words(sentence)
    if not _stand(names(sentence), source, source.text) or coverage(words, source.words) < _OVERLAPS:
        return None
    near = [(number, words & content_words(line)) for number, line in source.lines]
    best = max(
        range(len(near)), key=lambda at: len(frozenset[str]().union(*(held for _, held in near[at : at + _WINDOW])))
    )
    touched = [number for number, held in near[best : best + _WINDOW] if held] or [near[0][0]]
    return touched[0], touched[-1]


def names(sentence: str) -> list[str]:
    """What must be spelled in a passage as it is here: in backquotes, with an inner capital or underscore, a number."""
    bare = _QUOTED.sub(" ", sentence)
    return [name.strip().rstrip("()") for name in (*_QUOTED.findall(sentence), *_NAME.findall(bare))]


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


def _runs(words: Sequence[str], lines: Sequence[tuple[int, str]]) -> Iterator[Lines]:
    """Each run of at most `_WINDOW` lines that holds all of `words` in their order.

    A condition is not skipped, and none stands right before a run: what holds "if" something does is not said to hold.
    """
    there = [(word, number) for number, line in lines for word in word_list(line)]
    conditions = [-1]
    """For each place in `there`, where the last condition before it stands."""
    for at, (word, _) in enumerate(there):
        conditions.append(at if word in CONDITIONS else conditions[-1])
    ends: dict[int, int] = {}
    """Places in `there` where what was looked for so far ends, with the latest place where it begins."""
    begun = False
    for word in words:
        found: dict[int, int] = {}
        for at, (other, _) in enumerate(there):
            if other == word:
                condition = conditions[at]
                begins = [ends[one] for one in range(max(at - _SKIPPED - 1, condition), at) if one in ends]
                begins += [at] if not begun and (at == 0 or condition < at - 1) else []
                if begins:
                    found[at] = max(begins)
        if not found:
            return
        ends, begun = found, True
    for end, begin in ends.items():
        first, last = there[begin][1], there[end][1]
        if last < first + _WINDOW:
            yield first, last
