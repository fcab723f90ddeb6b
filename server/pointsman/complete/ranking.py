"""Suggestions of both origins for one place, by how likely each is what the user goes on to write."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.complete.cache import Suggestion
from pointsman.complete.confidence import Evidence, confidence, features
from pointsman.complete.cursor import Cursor
from pointsman.complete.lookup import Found


@dataclass(frozen=True, slots=True)
class Candidate:
    """A cleaned text and what is known of it."""

    text: str
    evidence: Evidence

    @property
    def first_line(self) -> str:
        return self.text.split("\n", 1)[0].rstrip()


def evidence_of(found: Found) -> Evidence:
    return Evidence(
        origin="lookup",
        logprob=found.logprob,
        units=found.lexemes,
        weakest=found.weakest,
        match=found.match,
        places=found.places,
    )


def by_confidence(candidates: Sequence[Candidate], cursor: Cursor) -> list[Suggestion]:
    """All of them, likeliest first; of two that are alike, as they came."""
    out = []
    for one in candidates:
        origins = {other.evidence.origin for other in candidates if other.first_line == one.first_line}
        values = features(one.evidence, one.text, cursor, agree=len(origins) > 1)
        origin = one.evidence.origin
        score = one.evidence.logprob / max(one.evidence.units, 1)
        out.append(Suggestion(one.text, score, confidence(origin, values), origin, values))
    return sorted(out, key=lambda suggestion: -suggestion.confidence)
