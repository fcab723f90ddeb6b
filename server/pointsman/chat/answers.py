"""Answers in words: what is kept of what a model wrote, and how it is told that nothing is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pointsman.chat.citations import Grounded, add_places, citations, ground
from pointsman.chat.display import harmless
from pointsman.chat.quote import CLOSEST, quoted
from pointsman.chat.retrieve import Found
from pointsman.chat.sources import Source
from pointsman.chat.types import Answer, Question
from pointsman.chat.words import content_words, coverage
from pointsman.routed import RouteTaken

_SPOKEN_OF = 0.5
"""Share of the question's content words that a doubtful answer must have more than."""
_NOT_ANSWERED = "This repository does not seem to answer that"
_Places = Mapping[int, tuple[int, int]]


def held_of(
    draft: str, question: Question, found: Found, sources: Mapping[int, Source], *, strong: bool = False
) -> Grounded:
    """What of a draft the sources support, if that speaks of what is asked. `strong` is of `citations.ground`."""
    asked = content_words(question.text, about_code=False)
    return _on_subject(ground(draft, sources, asked, strong=strong), asked, found)


def together(held: Mapping[int, Grounded], question: Question, found: Found, sources: Mapping[int, Source]) -> Grounded:
    """What was held to one source each, of those that are still there."""
    places: dict[int, tuple[int, int]] = {}
    there = [one for number, one in held.items() if number in sources]
    for one in there:
        add_places(places, one.places)
    asked = content_words(question.text, about_code=False)
    return _on_subject(Grounded(text=" ".join(one.text for one in there), places=places), asked, found)


def _on_subject(grounded: Grounded, asked: frozenset[str], found: Found) -> Grounded:
    """Where the sources may be about something else, what is kept has to speak of most of what is asked."""
    if found.standing == "doubtful" and coverage(asked, content_words(grounded.text)) <= _SPOKEN_OF:
        return Grounded()
    return grounded


def answer_of(text: str, sources: Mapping[int, Source], places: _Places, route: RouteTaken) -> Answer:
    """With the citations of `places`, by the numbers of their sources."""
    return Answer(answer=harmless(text), citations=citations(sources, places), abstained=False, route=route)


def unasked(reason: str) -> RouteTaken:
    """Of an answer that no model wrote."""
    return RouteTaken(target="local", model="", reason=reason)


def abstained(question: Question, found: Found, sources: Mapping[int, Source], route: RouteTaken) -> Answer:
    """Nothing is claimed; places that are near the question are quoted, for a person may see what words do not show."""
    if found.unknown:
        told = [f"{_NOT_ANSWERED}: {silent(found.unknown)}."]
    elif not found.complete:
        told = ["Nothing that is read so far answers it."]
    else:
        told = [f"{_NOT_ANSWERED}." if sources else f"{_NOT_ANSWERED}: nothing in its index is about it."]
    places: _Places = {}
    if sources:
        near, places = quoted(question.text, sources, CLOSEST)
        told.append(near)
    if found.note:
        told.append(noted(found))
    return replace(answer_of(" ".join(told), sources, places, route), abstained=True)


def noted(found: Found) -> str:
    """What the index says of itself, as a sentence."""
    return f"{found.note[:1].upper()}{found.note[1:]}."


def silent(word: str) -> str:
    """To go on a sentence about the repository."""
    return f"nothing in it speaks of {word}"
