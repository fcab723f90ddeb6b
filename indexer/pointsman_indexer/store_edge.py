"""The embedded store: Qdrant's own engine inside this process. With `store_server` the only importer of Qdrant."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pointsman_indexer.errors import StoreError
from pointsman_indexer.store import DENSE, FILE, LANGUAGE, LEXICAL, Point, translated
from pointsman_indexer.terms import Sparse

if TYPE_CHECKING:
    import qdrant_edge

log = logging.getLogger(__name__)

EXACT = 20_000
"""Points up to which an exact search is as quick as a graph and costs nothing to build."""
_EF = 256
"""Points that a walk of the graph keeps in sight: at a million points 97 % of the ten nearest are found so, and
72 % with the engine's own choice, which saves 0.4 ms."""
_OVERSAMPLING = 2.0
"""How many more neighbours by bytes are fetched and scored anew by their vectors: twice as many miss none of 60,000."""
_PAGE = 4096
"""Points that are listed at once. To count all of them takes a fifth of a second at a million."""


class EdgeStore:
    """Qdrant in this process, in `folder`, which must be this store's alone.

    Without a write-ahead log: `flush` is the point of durability, and the catalogue, written after it, is the log.
    Searches by meaning are exact up to some 20,000 points and go through an HNSW graph beyond (Malkov & Yashunin 2018)
    over vectors of one byte a number; what it finds is scored anew by the vectors themselves, which stay on disk.
    `compact` builds both, and what changed since is searched exactly.
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

        dense = edge.EdgeVectorParams(
            size=self._dimension,
            distance=edge.Distance.Cosine,
            memory=edge.Memory.Cold,
            quantization_config=edge.ScalarQuantizationConfig(
                edge.ScalarType.Int8, quantile=0.99, memory=edge.Memory.Pinned
            ),
        )
        return edge.EdgeConfig(
            vectors={DENSE: dense},
            sparse_vectors={LEXICAL: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)},
            hnsw_config=edge.HnswIndexConfig(m=16, ef_construct=100, full_scan_threshold=10_000),
            optimizers=edge.EdgeOptimizersConfig(indexing_threshold=EXACT * self._dimension * 4 // 1024),
            max_search_threads=2,
            wal_enabled=False,
        )

    def reset(self) -> None:
        import qdrant_edge as edge

        self.close()
        with translated():
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._shard = edge.EdgeShard.create(str(self._folder), self._config())
            for key in (FILE, LANGUAGE):
                self._shard.update(edge.UpdateOperation.create_field_index(key, edge.PayloadSchemaType.Keyword))
            self._shard.flush()

    def upsert(self, points: Sequence[Point]) -> None:
        import qdrant_edge as edge

        built = []
        for point in points:
            vectors: dict[str, Any] = {
                LEXICAL: edge.SparseVector(list(point.lexical.indices), list(point.lexical.values))
            }
            if point.dense is not None:
                vectors[DENSE] = list(point.dense)
            built.append(edge.Point(point.id, vectors, {FILE: point.file, LANGUAGE: point.language}))
        with translated():
            self._open.update(edge.UpdateOperation.upsert_points(built))

    def set_dense(self, vectors: Sequence[tuple[str, Sequence[float]]]) -> None:
        import qdrant_edge as edge

        built = [edge.PointVectors(id_, {DENSE: list(vector)}) for id_, vector in vectors]
        with translated():
            self._open.update(edge.UpdateOperation.update_vectors(built))

    def delete_files(self, files: Sequence[str], keep: Collection[str] = ()) -> None:
        import qdrant_edge as edge

        condition = edge.Filter(
            must=[edge.FieldCondition(key=FILE, match=edge.MatchAny(list(files)))],
            must_not=[edge.HasIdCondition(set(keep))] if keep else None,
        )
        with translated():
            # A deleted point stays in the postings, and so in every term's document frequency, until its segment is
            # built anew, which a small one never is. A point without terms leaves none behind. Beside a segment that
            # was built this does not help, and vacuuming keeps the error small.
            if self._open.info().segments_count == 1:
                self._silence(condition)
            self._open.update(edge.UpdateOperation.delete_points_by_filter(condition))

    def _silence(self, condition: qdrant_edge.Filter) -> None:
        import qdrant_edge as edge

        place = None
        while True:
            page, place = self._open.scroll(
                edge.ScrollRequest(offset=place, limit=_PAGE, filter=condition, with_payload=False, with_vector=False)
            )
            silent = [edge.PointVectors(point.id, {LEXICAL: edge.SparseVector([], [])}) for point in page]
            self._open.update(edge.UpdateOperation.update_vectors(silent))
            if place is None:
                return

    def dense(
        self, vector: Sequence[float], limit: int, languages: Set[str] = frozenset(), *, exact: bool = False
    ) -> list[tuple[str, float]]:
        import qdrant_edge as edge

        return self._query(edge.Query.Nearest(list(vector), using=DENSE), limit, _in(languages), exact)

    def cosines(self, vector: Sequence[float], ids: Sequence[str]) -> list[tuple[str, float]]:
        import qdrant_edge as edge

        if not ids:
            return []
        condition = edge.Filter(must=[edge.HasIdCondition(set(ids))])
        return self._query(edge.Query.Nearest(list(vector), using=DENSE), len(ids), condition, True)

    def lexical(self, vector: Sparse, limit: int, languages: Set[str] = frozenset()) -> list[tuple[str, float]]:
        import qdrant_edge as edge

        if not vector.indices:
            return []
        sparse = edge.SparseVector(list(vector.indices), list(vector.values))
        return self._query(edge.Query.Nearest(sparse, using=LEXICAL), limit, _in(languages))

    def _query(
        self, query: qdrant_edge.Query, limit: int, condition: qdrant_edge.Filter | None, exact: bool = False
    ) -> list[tuple[str, float]]:
        import qdrant_edge as edge

        quantised = edge.QuantizationSearchParams(rescore=True, oversampling=_OVERSAMPLING)
        with translated():
            found = self._open.query(
                edge.QueryRequest(
                    query=query,
                    limit=limit,
                    filter=condition,
                    with_payload=False,
                    with_vector=False,
                    params=edge.SearchParams(hnsw_ef=_EF, exact=exact, quantization=quantised),
                )
            )
        return [(str(point.id), point.score) for point in found]

    def count(self) -> int:
        import qdrant_edge as edge

        with translated():
            return self._open.count(edge.CountRequest(exact=True))

    def flush(self) -> None:
        with translated():
            self._open.flush()

    def compact(self) -> None:
        with translated():
            self._open.optimize()

    def close(self) -> None:
        if self._shard is not None:
            with translated():
                self._shard.close()
            self._shard = None

    @property
    def _open(self) -> qdrant_edge.EdgeShard:
        if self._shard is None:
            raise StoreError("the vector store is closed")
        return self._shard


def _in(languages: Set[str]) -> qdrant_edge.Filter | None:
    import qdrant_edge as edge

    if not languages:
        return None
    return edge.Filter(must=[edge.FieldCondition(key=LANGUAGE, match=edge.MatchAny(sorted(languages)))])
