"""Candidates in order: a linear score over what is known of a chunk and a query, with weights learned for each intent.

The features are the two searches' scores and ranks, how far the query's words are the chunk's name and path, and what
the chunk and its file are. `training/retrieval/rank.py` learns the weights from self-made tasks; a pure function of
features, so that learning and searching cannot differ.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from math import log2
from operator import mul

from pointsman_indexer.chunk import Chunk
from pointsman_indexer.intent import Intent, Kind
from pointsman_indexer.roles import role_of
from pointsman_indexer.terms import content_terms

FEATURES = (
    "dense",
    "dense_rank",
    "lexical",
    "lexical_rank",
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
    "module",
    "text",
    "continued",
    "length",
    "private",
)
_MOST_NAMES = 16
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


def features(candidate: Candidate, asked: frozenset[str]) -> tuple[float, ...]:
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
        float(one.kind == "module"),
        float(one.kind in ("text", "section")),
        float(bool(one.header)),
        log2(1 + one.end_line - one.start_line) / 7,
        float(one.symbol.rpartition(".")[2].startswith("_")),
    )


def told_name(one: Chunk, asked: frozenset[str]) -> str:
    """Qualified name of the definition in the chunk that shares most terms with the query; its own symbol in doubt."""
    if len(one.names) < 2:
        return one.symbol
    shared = {name: len(content_terms(name) & asked) for name in (one.symbol, *one.names[:_MOST_NAMES])}
    return max(shared, key=lambda name: shared[name])


@functools.cache
def _weights() -> Mapping[Kind, tuple[float, ...]]:
    text = resources.files("pointsman_indexer").joinpath("weights.json").read_text("utf-8")
    learned: dict[Kind, dict[str, float]] = json.loads(text)
    return {kind: tuple(own.get(name, 0.0) for name in FEATURES) for kind, own in learned.items()}


def _share(rank: int | None) -> float:
    return 0.0 if rank is None else _SMOOTHING / (_SMOOTHING + rank)


def score(values: Sequence[float], intent: Intent, dense: bool) -> float:
    """Higher is better; comparable within one query. `dense` says whether there was a search by meaning at all."""
    total: float = sum(map(mul, values, _weights()[intent.kind]))
    return total if dense else total + _WITHOUT_DENSE * values[FEATURES.index("lexical")]


_WITHOUT_DENSE = 1.0
"""What the lexical score is worth on top while there are no embeddings."""
