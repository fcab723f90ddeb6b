"""The store on a Qdrant server or cluster, for a team that outgrows one machine. Imports Qdrant's client."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Set
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pointsman_indexer.errors import StoreError
from pointsman_indexer.store import DENSE, FILE, LANGUAGE, LEXICAL, Point, translated
from pointsman_indexer.terms import Sparse

if TYPE_CHECKING:
    import qdrant_client
    from qdrant_client import models

_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


class ServerStore:
    """One collection of a Qdrant server or cluster at `url`; `:memory:` is Qdrant's own stand-in for one.

    The server gets vectors, languages and hashes of paths, and no text.
    """

    def __init__(self, url: str, collection: str, dimension: int, key: str = "") -> None:
        _check(url)
        import qdrant_client

        self._collection = collection
        self._dimension = dimension
        self._in_memory = url == ":memory:"
        with translated():
            self._client: qdrant_client.QdrantClient = (
                qdrant_client.QdrantClient(":memory:")
                if self._in_memory
                else qdrant_client.QdrantClient(url=url, api_key=key or None, timeout=30, check_compatibility=False)
            )
            if not self._fits():
                self.reset()

    def _fits(self) -> bool:
        """Whether the collection is there and made for vectors of this length."""
        if not self._client.collection_exists(self._collection):
            return False
        vectors: Any = self._client.get_collection(self._collection).config.params.vectors
        return isinstance(vectors, dict) and DENSE in vectors and vectors[DENSE].size == self._dimension

    def reset(self) -> None:
        from qdrant_client import models

        with translated():
            self._client.delete_collection(self._collection)
            self._client.create_collection(
                self._collection,
                vectors_config={DENSE: models.VectorParams(size=self._dimension, distance=models.Distance.COSINE)},
                sparse_vectors_config={LEXICAL: models.SparseVectorParams(modifier=models.Modifier.IDF)},
            )
            if not self._in_memory:  # which has no indexes, and warns
                for key in (FILE, LANGUAGE):
                    self._client.create_payload_index(self._collection, key, models.PayloadSchemaType.KEYWORD)

    def upsert(self, points: Sequence[Point]) -> None:
        from qdrant_client import models

        built = []
        for point in points:
            vectors: dict[str, Any] = {
                LEXICAL: models.SparseVector(indices=list(point.lexical.indices), values=list(point.lexical.values))
            }
            if point.dense is not None:
                vectors[DENSE] = list(point.dense)
            payload = {FILE: point.file, LANGUAGE: point.language}
            built.append(models.PointStruct(id=point.id, vector=vectors, payload=payload))
        with translated():
            self._client.upsert(self._collection, built, wait=True)

    def set_dense(self, vectors: Sequence[tuple[str, Sequence[float]]]) -> None:
        from qdrant_client import models

        built = [models.PointVectors(id=id_, vector={DENSE: list(vector)}) for id_, vector in vectors]
        with translated():
            self._client.update_vectors(self._collection, built, wait=True)

    def delete_files(self, files: Sequence[str], keep: Collection[str] = ()) -> None:
        from qdrant_client import models

        condition = models.Filter(
            must=[models.FieldCondition(key=FILE, match=models.MatchAny(any=list(files)))],
            must_not=[models.HasIdCondition(has_id=list(keep))] if keep else None,
        )
        with translated():
            self._client.delete(self._collection, models.FilterSelector(filter=condition), wait=True)

    def dense(
        self, vector: Sequence[float], limit: int, languages: Set[str] = frozenset(), *, exact: bool = False
    ) -> list[tuple[str, float]]:
        return self._query(list(vector), DENSE, limit, _in(languages), exact)

    def cosines(self, vector: Sequence[float], ids: Sequence[str]) -> list[tuple[str, float]]:
        from qdrant_client import models

        if not ids:
            return []
        condition = models.Filter(must=[models.HasIdCondition(has_id=list(ids))])
        return self._query(list(vector), DENSE, len(ids), condition, True)

    def lexical(self, vector: Sparse, limit: int, languages: Set[str] = frozenset()) -> list[tuple[str, float]]:
        from qdrant_client import models

        if not vector.indices:
            return []
        sparse = models.SparseVector(indices=list(vector.indices), values=list(vector.values))
        return self._query(sparse, LEXICAL, limit, _in(languages))

    def _query(
        self, query: Any, using: str, limit: int, condition: models.Filter | None, exact: bool = False
    ) -> list[tuple[str, float]]:
        from qdrant_client import models

        with translated():
            found = self._client.query_points(
                self._collection,
                query=query,
                using=using,
                limit=limit,
                query_filter=condition,
                with_payload=False,
                search_params=models.SearchParams(exact=True) if exact and not self._in_memory else None,
            )
        return [(str(point.id), point.score) for point in found.points]

    def count(self) -> int:
        with translated():
            return self._client.count(self._collection, exact=True).count

    def flush(self) -> None:
        """Every write waited for the server to accept it."""

    def compact(self) -> None:
        """The server does so by itself."""

    def close(self) -> None:
        with translated():
            self._client.close()


def _in(languages: Set[str]) -> models.Filter | None:
    from qdrant_client import models

    if not languages:
        return None
    return models.Filter(must=[models.FieldCondition(key=LANGUAGE, match=models.MatchAny(any=sorted(languages)))])


def _check(url: str) -> None:
    """Vectors tell much of the code they were made from: they cross a network encrypted or not at all."""
    parts = urlsplit(url)
    if url == ":memory:" or parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK):
        return
    raise StoreError("the vector store's URL must be https, or http on this machine", remedy="change store.url")
