"""A made-up repository of any number of chunks, in the index's own catalogue and store, to measure search against.

Its files lie on disk, so that hits are checked as always. Identifiers are drawn by a Zipf law (rank r with weight 1/r)
and made of words that are drawn so too; vectors are unit vectors around a thousand random centres. It is like code in
how often a term occurs and in nothing else: what is found says nothing of quality.
"""

from __future__ import annotations

import random
import uuid
from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path

import numpy
import numpy.typing

from pointsman_indexer import files
from pointsman_indexer.catalog import Catalog
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.dense import model_of
from pointsman_indexer.embed import Embedder
from pointsman_indexer.intake import point
from pointsman_indexer.lexical import lexical_of
from pointsman_indexer.parsing import CHUNK_FIELDS, ChunkRow, ParsedFile, packed, values_of
from pointsman_indexer.stores import Stores
from pointsman_indexer.symbols import Parsed, Symbol
from pointsman_indexer.update import Progress

_IN_FILE, _GROUP = 20, 200
"""Chunks of a file; files that are stored together."""
_WORDS, _IDENTIFIERS = 20_000, 200_000
_CENTRES = 1_000
_SPREAD = 1.0
"""Length of a vector's own part beside its centre's."""
_SOUNDS = [first + second for first in "bcdfghjklmnprstvz" for second in "aeiou"]


class Words:
    """Identifiers by a Zipf law: always of the same vocabulary, drawn by `seed`."""

    def __init__(self, seed: int) -> None:
        make = random.Random(0)
        words = ["".join(make.choices(_SOUNDS, k=make.randint(2, 4))) for _ in range(_WORDS)]
        weights = _zipf(_WORDS)
        self._names = [
            "_".join(make.choices(words, cum_weights=weights, k=make.randint(1, 3))) for _ in range(_IDENTIFIERS)
        ]
        self._weights = _zipf(_IDENTIFIERS)
        self._draw = random.Random(seed)

    def take(self, count: int) -> list[str]:
        return self._draw.choices(self._names, cum_weights=self._weights, k=count)

    def function(self) -> tuple[str, str, str]:
        """A function of eleven lines: its name, its signature and its text."""
        name, one, two, *told = self.take(11)
        signature = f"def {name}({one}, {two}):"
        body = [f'    """{" ".join(told).replace("_", " ")}."""']
        for _ in range(8):
            left, right, member, given = self.take(4)
            body.append(f"    {left} = {right}.{member}({given}, {one})")
        return name, signature, "\n".join((signature, *body, f"    return {two}\n"))


def _zipf(count: int) -> list[float]:
    return list(accumulate(1 / rank for rank in range(1, count + 1)))


class Vectors:
    """Unit vectors: always around the same centres, drawn by `seed`."""

    def __init__(self, dimension: int, seed: int) -> None:
        self._centres = _unit(numpy.random.default_rng(0), _CENTRES, dimension)
        self._draw = numpy.random.default_rng(seed)

    def take(self, count: int) -> list[array[float]]:
        chosen = self._centres[self._draw.integers(_CENTRES, size=count)]
        made = chosen + _SPREAD * _unit(self._draw, count, chosen.shape[1])
        made /= numpy.linalg.norm(made, axis=1, keepdims=True)
        return [array("f", row.tobytes()) for row in made.astype(numpy.float32)]


def _unit(draw: numpy.random.Generator, count: int, dimension: int) -> numpy.typing.NDArray[numpy.float64]:
    made = draw.standard_normal((count, dimension))
    made /= numpy.linalg.norm(made, axis=1, keepdims=True)
    return made


def build(root: Path, data_dir: Path, embedder: Embedder, chunks: int, progress: Callable[[Progress], None]) -> None:
    """Write the files below `root` and their index into `data_dir`, for `Index.open` to find; both folders are empty.

    The vectors go by the embedder's name, although it made none of them.
    """
    words, vectors = Words(seed=0), Vectors(embedder.dimension, seed=0)
    model = model_of(embedder)
    catalog = Catalog(data_dir / "catalog.sqlite")
    stores = Stores(data_dir, catalog, "", model)
    try:
        done = 0
        for group in _groups(root, words, chunks):
            rows = [row for _, own in group for row in own]
            known = dict(zip([row.sha for row in rows], vectors.take(len(rows)), strict=True))
            with catalog.transaction():
                catalog.vectors.put(model, known)
                for path, own in group:
                    _keep(catalog, root, path, own)
            stores.live.upsert([point(path, row, known) for path, own in group for row in own])
            stores.live.flush()
            done += len(rows)
            progress(Progress(stage="store", done=done, total=chunks))
        stores.wrote(chunks)
        stores.compact()
        stores.adopt(wait=True)
        catalog.settle()
    finally:
        stores.close()
        catalog.close()


def _groups(root: Path, words: Words, chunks: int) -> Iterator[list[tuple[str, list[ChunkRow]]]]:
    group: list[tuple[str, list[ChunkRow]]] = []
    for number, first in enumerate(range(0, chunks, _IN_FILE)):
        path = f"part{number // 500}/{'_'.join(words.take(1))}_{number}.py"
        group.append((path, list(_rows(root / path, path, words, min(_IN_FILE, chunks - first)))))
        if len(group) == _GROUP:
            yield group
            group = []
    if group:
        yield group


def _rows(file: Path, path: str, words: Words, count: int) -> Iterator[ChunkRow]:
    """Write one file; its chunks."""
    file.parent.mkdir(parents=True, exist_ok=True)
    texts, line = [], 1
    for ordinal in range(count):
        name, signature, text = words.function()
        texts.append(text)
        one = Chunk(
            path=path,
            start_line=line,
            end_line=line + text.count("\n") - 1,
            symbol=name,
            kind="function",
            language="python",
            text=text,
            signature=signature,
            names=(name,),
        )
        line = one.end_line + 1
        id_ = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{path}\0{ordinal}"))
        yield ChunkRow(id_, values_of(one), one.sha256, packed(lexical_of(one)))
    file.write_text("".join(texts))


def _keep(catalog: Catalog, root: Path, path: str, rows: Sequence[ChunkRow]) -> None:
    found = files.read(root, path)
    assert found is not None  # it was just written
    symbols = [_symbol(dict(zip(CHUNK_FIELDS, row.values, strict=True))) for row in rows]
    parsed = ParsedFile(language="python", chunks=tuple(rows), parsed=Parsed(symbols=tuple(symbols)))
    catalog.attach(found.entry, True, catalog.put_version(path, found.blob, parsed), ())


def _symbol(own: dict[str, str | int]) -> Symbol:
    return Symbol(
        name=str(own["symbol"]),
        qualified=str(own["symbol"]),
        kind=str(own["kind"]),
        start_line=int(own["start_line"]),
        end_line=int(own["end_line"]),
        depth=0,
        signature=str(own["signature"]),
    )
