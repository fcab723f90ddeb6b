"""What an embedder is, how its answers are checked, and one that needs no model.

Knows nothing of torch, files or stores.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from typing import Literal, Protocol

from pointsman_indexer.errors import EmbeddingError
from pointsman_indexer.terms import document_vector

Kind = Literal["query", "document"]


class Embedder(Protocol):
    """Turns texts into vectors that are compared by cosine."""

    @property
    def name(self) -> str:
        """Names the model and its version: equal names mean vectors that may be compared."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def max_batch(self) -> int:
        """The most texts of one call."""
        ...

    def embed(self, texts: Sequence[str], *, kind: Kind) -> Sequence[Sequence[float]]:
        """Shape (len(texts), dimension). May raise what it likes: an update can be run again."""
        ...


class HashEmbedder:
    """Feature hashing of the terms (Weinberger et al. 2009): deterministic and without a model.

    Texts that share terms are near each other; it knows no synonyms.
    """

    max_batch = 256

    def __init__(self, dimension: int = 256) -> None:
        self.dimension = dimension
        self.name = f"hash-{dimension}"

    def embed(self, texts: Sequence[str], *, kind: Kind) -> list[list[float]]:
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> list[float]:
        vector = [0.0] * self.dimension
        sparse = document_vector(text)
        for index, value in zip(sparse.indices, sparse.values, strict=True):
            vector[(index >> 1) % self.dimension] += value if index & 1 else -value
        norm = math.hypot(*vector)
        return [value / norm for value in vector] if norm else [1.0, *vector[1:]]


def embed_checked(embedder: Embedder, texts: Sequence[str], kind: Kind) -> list[array[float]]:
    """Embed and check the shape, as float32. Raises `EmbeddingError`."""
    vectors = [array("f", vector) for vector in embedder.embed(texts, kind=kind)]
    if len(vectors) != len(texts):
        raise EmbeddingError(f"{embedder.name} gave {len(vectors)} vectors for {len(texts)} texts")
    for vector in vectors:
        check_vector(embedder, vector)
    return vectors


def check_vector(embedder: Embedder, vector: Sequence[float]) -> None:
    if len(vector) != embedder.dimension:
        raise EmbeddingError(f"{embedder.name} gave a vector of {len(vector)} values, not {embedder.dimension}")
    if not all(map(math.isfinite, vector)):
        raise EmbeddingError(f"{embedder.name} gave a vector with a value that is no number")
