"""Where vectors live, as a Protocol: Qdrant inside this process (`store_edge`) or a Qdrant server (`store_server`).

A point holds no text and no name, only vectors, the language and a hash of the path: names and text are the
catalogue's, and what was excluded leaves nothing readable in the store's files. Whoever has an id asks the catalogue
what it is. Knows nothing of files, chunks or queries.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from pointsman_indexer.errors import StoreError
from pointsman_indexer.terms import Sparse

DENSE, LEXICAL = "dense", "lexical"
"""Names of a point's vectors."""
FILE, LANGUAGE = "file", "language"
"""Names of what a point carries beside them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A chunk in the store. `id` is a UUID; `file` is `file_key(path)`."""

    id: str
    file: str
    language: str
    dense: Sequence[float] | None
    """None for a chunk that is not embedded yet: it is found by its words."""
    lexical: Sparse


class Store(Protocol):
    """Vectors of one index, searched by cosine (`dense`) and by BM25 (`lexical`: weights times inverse document
    frequency). Results are (id, score), best first. Raises `StoreError`."""

    def upsert(self, points: Sequence[Point]) -> None: ...

    def set_dense(self, vectors: Sequence[tuple[str, Sequence[float]]]) -> None:
        """Give points, by id, their dense vectors; ids that are not there are passed over."""
        ...

    def delete_files(self, files: Sequence[str], keep: Collection[str] = ()) -> None:
        """Delete these files' points but for those whose ids are to be kept."""
        ...

    def dense(
        self, vector: Sequence[float], limit: int, languages: Set[str] = frozenset(), *, exact: bool = False
    ) -> list[tuple[str, float]]:
        """`exact` looks at every point, whatever graph there is: to measure the graph against."""
        ...

    def cosines(self, vector: Sequence[float], ids: Sequence[str]) -> list[tuple[str, float]]:
        """Of these points, those that have a dense vector."""
        ...

    def lexical(self, vector: Sparse, limit: int, languages: Set[str] = frozenset()) -> list[tuple[str, float]]: ...

    def count(self) -> int: ...

    def flush(self) -> None:
        """Make durable what was written so far."""
        ...

    def compact(self) -> None:
        """Take back the room of deleted points when there are many."""
        ...

    def reset(self) -> None:
        """Forget everything, in such a way that the bytes are gone as well."""
        ...

    def close(self) -> None: ...


def file_key(path: str) -> str:
    return hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@contextlib.contextmanager
def translated() -> Iterator[None]:
    """Qdrant's errors, of many classes and some bare, as `StoreError`; their text may hold data and is left out."""
    try:
        yield
    except StoreError:
        raise
    except Exception as error:
        raise StoreError(
            f"the vector store failed ({type(error).__name__})",
            remedy="see whether the disk is full or the server is up",
        ) from error
