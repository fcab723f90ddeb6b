"""Where vectors live: Qdrant inside this process, or a Qdrant server. The only importer of Qdrant.

A point holds no text and no name, only vectors, the language and a hash of the path: names and text are the
catalogue's, and what was excluded leaves nothing readable in the store's files. Whoever has an id asks the catalogue
what it is. Knows nothing of files, chunks or queries.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pointsman_indexer.errors import StoreError
from pointsman_indexer.terms import Sparse

if TYPE_CHECKING:
    import qdrant_client
    import qdrant_edge

log = logging.getLogger(__name__)

_DENSE, _LEXICAL = "dense", "lexical"
_FILE, _LANGUAGE = "file", "language"


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A chunk in the store. `id` is a UUID; `file` is `file_key(path)`."""

    id: str
    file: str
    language: str
    dense: Sequence[float]
    lexical: Sparse


class Store(Protocol):
    """Vectors of one index, searched by cosine (`dense`) and by BM25 (`lexical`: weights times inverse document
    frequency). Results are (id, score), best first. Raises `StoreError`."""

    def upsert(self, points: Sequence[Point]) -> None: ...

    def delete_files(self, files: Sequence[str]) -> None: ...

    def dense(self, vector: Sequence[float], limit: int, language: str = "") -> list[tuple[str, float]]: ...

    def lexical(self, vector: Sparse, limit: int, language: str = "") -> list[tuple[str, float]]: ...

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


class EdgeStore:
    """Qdrant in this process, in `folder`, which must be this store's alone.

    Without a write-ahead log: `flush` is the point of durability, and the catalogue, written after it, is the log.
    Searches are exact: below some 100,000 points that is faster than building a graph pays for.
    """

    def __init__(self, folder: Path, dimension: int) -> None:
        self._folder = folder
        self._dimension = dimension
        self._shard: qdrant_edge.EdgeShard | None = None
        if (folder / "edge_config.json").exists():
            self._shard = self._load()
        if self._shard is None:
            self.reset()

    def _load(self) -> qdrant_edge.EdgeShard | None:
        import qdrant_edge

        try:
            return qdrant_edge.EdgeShard.load(str(self._folder), self._config())
        except Exception as error:  # the binding raises bare `Exception` for damage and for another dimension
            log.warning("the vector store does not open (%s) and is made anew", type(error).__name__)
            return None

    def _config(self) -> qdrant_edge.EdgeConfig:
        import qdrant_edge as edge

        return edge.EdgeConfig(
            vectors={_DENSE: edge.EdgeVectorParams(size=self._dimension, distance=edge.Distance.Cosine)},
            sparse_vectors={_LEXICAL: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=0),
            max_search_threads=2,
            wal_enabled=False,
        )

    def reset(self) -> None:
        import qdrant_edge as edge

        self.close()
        with _translated():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._shard = edge.EdgeShard.create(str(self._folder), self._config())
            for key in (_FILE, _LANGUAGE):
                self._shard.update(edge.UpdateOperation.create_field_index(key, edge.PayloadSchemaType.Keyword))
            self._shard.flush()

    def upsert(self, points: Sequence[Point]) -> None:
        import qdrant_edge as edge

        built = [
            edge.Point(
                point.id,
                {
                    _DENSE: list(point.dense),
                    _LEXICAL: edge.SparseVector(list(point.lexical.indices), list(point.lexical.values)),
                },
                {_FILE: point.file, _LANGUAGE: point.language},
            )
            for point in points
        ]
        with _translated():
            self._open.update(edge.UpdateOperation.upsert_points(built))

    def delete_files(self, files: Sequence[str]) -> None:
        import qdrant_edge as edge

        condition = edge.Filter(must=[edge.FieldCondition(key=_FILE, match=edge.MatchAny(list(files)))])
        with _translated():
            self._open.update(edge.UpdateOperation.delete_points_by_filter(condition))

    def dense(self, vector: Sequence[float], limit: int, language: str = "") -> list[tuple[str, float]]:
        import qdrant_edge as edge

        return self._query(edge.Query.Nearest(list(vector), using=_DENSE), limit, language)

    def lexical(self, vector: Sparse, limit: int, language: str = "") -> list[tuple[str, float]]:
        import qdrant_edge as edge

        if not vector.indices:
            return []
        sparse = edge.SparseVector(list(vector.indices), list(vector.values))
        return self._query(edge.Query.Nearest(sparse, using=_LEXICAL), limit, language)

    def _query(self, query: qdrant_edge.Query, limit: int, language: str) -> list[tuple[str, float]]:
        import qdrant_edge as edge

        condition = None
        if language:
            condition = edge.Filter(must=[edge.FieldCondition(key=_LANGUAGE, match=edge.MatchValue(language))])
        with _translated():
            found = self._open.query(
                edge.QueryRequest(query=query, limit=limit, filter=condition, with_payload=False, with_vector=False)
            )
        return [(str(point.id), point.score) for point in found]

    def count(self) -> int:
        import qdrant_edge as edge

        with _translated():
            return self._open.count(edge.CountRequest(exact=True))

    def flush(self) -> None:
        with _translated():
            self._open.flush()

    def compact(self) -> None:
        with _translated():
            self._open.optimize()

    def close(self) -> None:
        if self._shard is not None:
            with _translated():
                self._shard.close()
            self._shard = None

    @property
    def _open(self) -> qdrant_edge.EdgeShard:
        if self._shard is None:
            raise StoreError("the vector store is closed")
        return self._shard


class ServerStore:
    """One collection of a Qdrant server or cluster at `url`; `:memory:` is Qdrant's own stand-in for one."""

    def __init__(self, url: str, collection: str, dimension: int) -> None:
        import qdrant_client

        self._collection = collection
        self._dimension = dimension
        self._in_memory = url == ":memory:"
        with _translated():
            self._client: qdrant_client.QdrantClient = (
                qdrant_client.QdrantClient(":memory:")
                if self._in_memory
                else qdrant_client.QdrantClient(url=url, timeout=30, check_compatibility=False)
            )
            if not self._fits():
                self.reset()

    def _fits(self) -> bool:
        """Whether the collection is there and made for vectors of this length."""
        if not self._client.collection_exists(self._collection):
            return False
        vectors: Any = self._client.get_collection(self._collection).config.params.vectors
        return isinstance(vectors, dict) and _DENSE in vectors and vectors[_DENSE].size == self._dimension

    def reset(self) -> None:
        from qdrant_client import models

        with _translated():
            self._client.delete_collection(self._collection)
            self._client.create_collection(
                self._collection,
                vectors_config={_DENSE: models.VectorParams(size=self._dimension, distance=models.Distance.COSINE)},
                sparse_vectors_config={_LEXICAL: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            )
            if not self._in_memory:  # which has no indexes, and warns
                for key in (_FILE, _LANGUAGE):
                    self._client.create_payload_index(self._collection, key, models.PayloadSchemaType.KEYWORD)

    def upsert(self, points: Sequence[Point]) -> None:
        from qdrant_client import models

        built = [
            models.PointStruct(
                id=point.id,
                vector={
                    _DENSE: list(point.dense),
                    _LEXICAL: models.SparseVector(
                        indices=list(point.lexical.indices), values=list(point.lexical.values)
                    ),
                },
                payload={_FILE: point.file, _LANGUAGE: point.language},
            )
            for point in points
        ]
        with _translated():
            self._client.upsert(self._collection, built, wait=True)

    def delete_files(self, files: Sequence[str]) -> None:
        from qdrant_client import models

        condition = models.FieldCondition(key=_FILE, match=models.MatchAny(any=list(files)))
        with _translated():
            self._client.delete(
                self._collection, models.FilterSelector(filter=models.Filter(must=[condition])), wait=True
            )

    def dense(self, vector: Sequence[float], limit: int, language: str = "") -> list[tuple[str, float]]:
        return self._query(list(vector), _DENSE, limit, language)

    def lexical(self, vector: Sparse, limit: int, language: str = "") -> list[tuple[str, float]]:
        from qdrant_client import models

        if not vector.indices:
            return []
        sparse = models.SparseVector(indices=list(vector.indices), values=list(vector.values))
        return self._query(sparse, _LEXICAL, limit, language)

    def _query(self, query: Any, using: str, limit: int, language: str) -> list[tuple[str, float]]:
        from qdrant_client import models

        condition = None
        if language:
            match = models.MatchValue(value=language)
            condition = models.Filter(must=[models.FieldCondition(key=_LANGUAGE, match=match)])
        with _translated():
            found = self._client.query_points(
                self._collection, query=query, using=using, limit=limit, query_filter=condition, with_payload=False
            )
        return [(str(point.id), point.score) for point in found.points]

    def count(self) -> int:
        with _translated():
            return self._client.count(self._collection, exact=True).count

    def flush(self) -> None:
        """Every write waited for the server to accept it."""

    def compact(self) -> None:
        """The server does so by itself."""

    def close(self) -> None:
        with _translated():
            self._client.close()


@contextlib.contextmanager
def _translated() -> Iterator[None]:
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
