"""Candidates in order: a score over what is known of a chunk and a query, learned for descriptions and for questions.

The features are the two searches' scores and ranks, how far the query's words are the chunk's name and path, and what
the chunk and its file are. `training/retrieval/rank.py` learns from self-made tasks and from questions; a pure function
of features, so that learning and searching cannot differ.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from math import log2
from operator import mul
from typing import get_args

from pointsman_indexer.chunk import Chunk
from pointsman_indexer.intent import Intent, Kind
from pointsman_indexer.roles import role_of
from pointsman_indexer.terms import content_terms

FEATURES = (
    "dense",
    "dense_rank",
    "lexical",
    "lexical_rank",
    "worded",
    "name_covered",
    "query_in_name",
    "query_in_path",
    "named",
    "named_loosely",
    "file_named",
    "framed",
    "test",
    "example",
    "documentation",
    "foreign",
    "callable",
    "type",
    "type_for_thing",
    "module",
    "text",
    "continued",
    "length",
    "private",
    "asked_much",
)
_GIVEN = {
    "worded": 0.0,
    "named": 1.0,
    "named_loosely": 0.1,
    "file_named": 2.0,
    "framed": 8.0,
    "test": -1.5,
    "example": -1.0,
    "documentation": -0.5,
    "foreign": -1.5,
    "text": -1.0,
}
"""Weights that are not learned: queries in plain words hardly ever name a symbol or a file, and packages as they are
installed have no tests, examples or pages of documentation."""
_GIVEN_FOR: dict[Kind, dict[str, float]] = {
    "words": {"named": 0.25},
    "name": {"named": 8.0, "worded": 12.0},
    "path": {"file_named": 8.0, "test": 0.0, "example": 0.0, "documentation": 0.0, "foreign": 0.0, "text": 0.0},
    "error": {"test": -0.5},
}
"""What sets the kinds apart. A description that names a symbol is seldom that symbol's own; a name alone stands in the
text that is meant."""
LEARNED = tuple(name for name in FEATURES if name not in _GIVEN)
_MOST_NAMES = 16
_MUCH = 12
"""Terms of a query that says a lot; a few keywords want other weights, by way of the units."""
_SMOOTHING = 10
"""A rank's share is smoothing / (smoothing + rank): reciprocal rank fusion's shape (Cormack et al. 2009)."""
_CALLABLE = frozenset({"function", "method", "macro"})
_TYPE = frozenset({"class", "interface", "struct", "enum", "trait", "impl", "type"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A chunk that some search found. Ranks count from 0; None where the search did not find it."""

    id: str
    chunk: Chunk
    dense: float | None = None
    """Cosine with the query."""
    dense_rank: int | None = None
    lexical: float | None = None
    """Share of the best lexical score: 0 to 1."""
    lexical_rank: int | None = None
    named: float = 0.0
    """How surely the query names the chunk's symbol: 1 in full, less when only its last part."""
    named_loosely: float = 0.0
    """As `named`, by a word that may be a name or not."""
    file_named: float = 0.0
    framed: float = 0.0
    """Whether a stack trace points into it: 1 for the innermost frame."""


def features(candidate: Candidate, asked: frozenset[str], thing: bool) -> tuple[float, ...]:
    """One value for each of `FEATURES`, mostly 0 to 1. `asked` are the query's `content_terms`."""
    one = candidate.chunk
    name = told_name(one, asked)
    own = content_terms(name.rpartition(".")[2])
    whole = content_terms(name)
    role = role_of(one.path)
    many = max(1, len(asked))
    return (
        candidate.dense or 0.0,
        _share(candidate.dense_rank),
        candidate.lexical or 0.0,
        _share(candidate.lexical_rank),
        float(candidate.lexical_rank is not None),
        len(own & asked) / len(own) if own else 0.0,
        len(whole & asked) / many,
        len(content_terms(one.path) & asked) / many,
        candidate.named,
        candidate.named_loosely,
        candidate.file_named,
        candidate.framed,
        float(role == "test"),
        float(role == "example"),
        float(role == "documentation"),
        float(role in ("generated", "vendored")),
        float(one.kind in _CALLABLE),
        float(one.kind in _TYPE),
        float(thing and one.kind in _TYPE),
        float(one.kind == "module"),
        float(one.kind in ("text", "section")),
        float(bool(one.header)),
        log2(1 + one.end_line - one.start_line) / 7,
        float(one.symbol.rpartition(".")[2].startswith("_")),
        min(len(asked), _MUCH) / _MUCH,
    )


def told_name(one: Chunk, asked: frozenset[str]) -> str:
    """Qualified name of the definition in the chunk that shares most terms with the query; its own symbol in doubt."""
    if len(one.names) < 2:
        return one.symbol
    shared = {name: len(content_terms(name) & asked) for name in (one.symbol, *one.names[:_MOST_NAMES])}
    return max(shared, key=lambda name: shared[name])


def _share(rank: int | None) -> float:
    return 0.0 if rank is None else _SMOOTHING / (_SMOOTHING + rank)


@dataclass(frozen=True, slots=True)
class Network:
    """A linear score with a few rectified units beside it, which see what features mean together."""

    linear: tuple[float, ...]
    """By feature, in the order of `FEATURES`; so are the weights of a unit."""
    units: tuple[tuple[float, float, tuple[float, ...]], ...]
    """(worth, bias, weights) of each."""

    def __call__(self, values: Sequence[float]) -> float:
        total: float = sum(map(mul, values, self.linear))
        for worth, bias, weights in self.units:
            if (lifted := bias + sum(map(mul, values, weights))) > 0:
                total += worth * lifted
        return total


def score(values: Sequence[float], intent: Intent, dense: bool) -> float:
    """Higher is better; comparable within one query. `dense` says whether there was a search by meaning at all."""
    return _networks()[intent.kind, dense](values)


@functools.cache
def _networks() -> Mapping[tuple[Kind, bool], Network]:
    """Every kind's, with and without a search by meaning: what was learned, and on top what is given for the kind."""
    learned = json.loads(resources.files("pointsman_indexer").joinpath("weights.json").read_text("utf-8"))
    found: dict[tuple[Kind, bool], Network] = {}
    for kind in get_args(Kind):
        given = _GIVEN | _GIVEN_FOR.get(kind, {})
        for dense in (True, False):
            own = learned["question" if kind == "question" else "words"]["dense" if dense else "lexical"]
            linear = _row(own["linear"] | given)
            units = tuple((unit["worth"], unit["bias"], _row(unit["weights"])) for unit in own["units"])
            found[kind, dense] = Network(linear, units)
    return found


def _row(weights: Mapping[str, float]) -> tuple[float, ...]:
    return tuple(weights.get(name, 0.0) for name in FEATURES)
