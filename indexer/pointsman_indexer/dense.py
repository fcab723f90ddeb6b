"""The second phase of an update: dense vectors for the chunks that have none.

A vector is kept by its hash as soon as it is made, so that nothing is embedded twice. For the embedder that serves,
vectors go straight into the live store; those of another one are collected in the catalogue until its store can be
built from them and take over.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from pointsman_indexer.catalog import Catalog
from pointsman_indexer.embed import Embedder, embed_checked
from pointsman_indexer.intake import point
from pointsman_indexer.store import Store
from pointsman_indexer.stores import Stores

_GROUP = 1024
"""Chunks that are stored together. The store's flush waits for the disk, and of many texts more are of like length."""


@dataclass(slots=True)
class Dense:
    """Embeds what is missing. `run` once."""

    catalog: Catalog
    stores: Stores
    embedder: Embedder
    should_stop: Callable[[], bool]
    done: Callable[[int, int], None]
    """Told how many chunks of how many have their vectors."""
    brought: Callable[[str], array[float] | None] = lambda _: None
    """The vector, by hash, that somebody else has made and the catalogue does not hold."""
    embedded: int = 0
    reused: int = 0
    _finished: int = 0
    _total: int = 0

    def run(self) -> bool:
        """False when it was told to stop."""
        return self._serve() if self.stores.serving == model_of(self.embedder) else self._take_over()

    def _serve(self) -> bool:
        """Give the live store's points their vectors."""
        self._total = self.catalog.waiting_count()[0]
        while waiting := self.catalog.waiting(_GROUP):
            vectors = self._vectors({sha: one.embedding_text for _, sha, one in waiting})
            if vectors is None:
                return False
            self.stores.live.set_dense([(id_, vectors[sha]) for id_, sha, _ in waiting])
            self.stores.live.flush()
            with self.catalog.transaction():
                self.catalog.not_waiting(id_ for id_, _, _ in waiting)
            self._advance(len(waiting))
        return True

    def _take_over(self) -> bool:
        """Embed everything by the new embedder while the old store answers, then build the new store at once."""
        self._total = self.catalog.counts()[1]
        place = 0
        while page := self.catalog.current_chunks(place, _GROUP):
            place = page[-1][0]
            if self._vectors({sha: one.embedding_text for _, _, sha, one in page}) is None:
                return False
            self._advance(len(page))
        self.stores.replace(model_of(self.embedder), self._build)
        return True

    def _build(self, store: Store) -> None:
        fill(store, self.catalog, model_of(self.embedder))

    def _advance(self, count: int) -> None:
        self._finished += count
        self._total = max(self._total, self._finished)
        self.done(self._finished, self._total)

    def _vectors(self, texts: Mapping[str, str]) -> dict[str, array[float]] | None:
        """The vectors of these texts, by hash; None when told to stop."""
        model = model_of(self.embedder)
        vectors = self.catalog.vectors.get(model, list(texts))
        brought = {sha: one for sha in texts.keys() - vectors.keys() if (one := self.brought(sha)) is not None}
        if brought:
            with self.catalog.transaction():
                self.catalog.vectors.put(model, brought)
            vectors |= brought
        self.reused += len(vectors)
        # Texts of like length share a batch: the model then pads little.
        missing = sorted(texts.keys() - vectors.keys(), key=lambda sha: (len(texts[sha]), sha))
        size = max(1, self.embedder.max_batch)
        batches = [missing[start : start + size] for start in range(0, len(missing), size)]
        for batch, made in self._embedded_ahead(batches, texts):
            fresh = dict(zip(batch, made, strict=True))
            with self.catalog.transaction():
                self.catalog.vectors.put(model, fresh)
            vectors.update(fresh)
            self.embedded += len(batch)
            self.done(min(self._finished + len(vectors), self._total), self._total)
        return vectors if len(vectors) == len(texts) else None

    def _embedded_ahead(
        self, batches: Sequence[list[str]], texts: Mapping[str, str]
    ) -> Iterator[tuple[list[str], list[array[float]]]]:
        """Each batch with its vectors, until told to stop. The model works on the next one while one is stored."""

        def embed(batch: list[str]) -> list[array[float]]:
            return embed_checked(self.embedder, [texts[sha] for sha in batch], "document")

        with ThreadPoolExecutor(max_workers=1) as ahead:
            under_way = None
            for batch in chain(batches, (None,)):
                next_one = (batch, ahead.submit(embed, batch)) if batch and not self.should_stop() else None
                if under_way is not None:
                    yield under_way[0], under_way[1].result()
                if next_one is None:
                    return
                under_way = next_one


def fill(store: Store, catalog: Catalog, model: str) -> None:
    """Make the store anew from the catalogue: every file's chunks, with `model`'s vectors where they are known.

    Not interrupted: half a store would have to start over.
    """
    store.reset()
    place = 0
    while page := catalog.current_rows(place, _GROUP):
        place = page[-1][0]
        vectors = catalog.vectors.get(model, [row.sha for _, _, row in page])
        store.upsert([point(path, row, vectors) for _, path, row in page])
    store.flush()


def model_of(embedder: Embedder) -> str:
    """Vectors of another length are another model's, whatever its name."""
    return f"{embedder.name}/{embedder.dimension}"
