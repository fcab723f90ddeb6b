"""A file's bytes to everything that the index keeps of them: chunks with their lexical vectors, symbols, notes.

A pure function of path and bytes, run in child processes (`pool`). Knows nothing of stores, databases or embedders.
"""

from __future__ import annotations

import hashlib
import uuid
from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, NamedTuple

from pointsman_indexer.chunk import Chunk, chunk
from pointsman_indexer.languages import grammar, language_of
from pointsman_indexer.lexical import lexical_of
from pointsman_indexer.lines import Lines
from pointsman_indexer.parse import parse
from pointsman_indexer.symbols import Parsed
from pointsman_indexer.terms import Sparse

UNPARSED = Parsed(complete=False)
AS_TEXT = "as_text"
"""The note of a file that was too much for its grammar: it is in windows of text, without symbols."""
_NAMESPACE = uuid.UUID("5d9f6c1e-3a52-5f0b-9a55-0c9a3c6f1d27")
CHUNK_FIELDS = {field.name: str(field.type) for field in fields(Chunk) if field.name != "path"}
"""What a chunk is but for its path, which is its version's: names and types, in the order of `ChunkRow.values`."""
_LISTS = tuple(place for place, type_ in enumerate(CHUNK_FIELDS.values()) if type_.startswith("tuple"))
_NAMES = tuple(CHUNK_FIELDS)
_values = attrgetter(*CHUNK_FIELDS)


class ChunkRow(NamedTuple):
    """A chunk as the catalogue keeps it. A tuple, for thousands of them cross from one process to another."""

    id: str
    """A UUID, of path, content and place: the same for a file with the same content at every time."""
    values: tuple[str | int, ...]
    """`values_of` the chunk."""
    sha: str
    lexical: bytes
    """`packed` lexical vector."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """What one content at one path comes to."""

    language: str
    skipped: str = ""
    """Why its content is not indexed: binary, crashed, too_slow; "" when it is."""
    notes: str = ""
    chunks: tuple[ChunkRow, ...] = ()
    parsed: Parsed = UNPARSED


def parse_file(path: str, data: bytes, plain: bool = False) -> ParsedFile:
    """Parse, cut and weigh one file. `plain` leaves the grammar out."""
    language = language_of(path, data[:65536]) or ""
    if b"\0" in data:
        return ParsedFile(language=language, skipped="binary")
    parsed = UNPARSED if plain else parse(data, language)
    rows = rows_of(path, chunk(path, language, Lines(data), parsed))
    as_text = not parsed.complete and grammar(language) is not None
    notes = AS_TEXT if as_text else "" if _is_utf8(data) else "invalid_utf8"
    return ParsedFile(language=language, notes=notes, chunks=rows, parsed=parsed)


def rows_of(path: str, chunks: Iterable[Chunk]) -> tuple[ChunkRow, ...]:
    """All chunks of a file, in order, as the catalogue keeps them.

    An id stands for what the store holds: a chunk that only moved within its file keeps its point.
    """
    rows: list[ChunkRow] = []
    seen: Counter[str] = Counter()
    for one in chunks:
        sha, lexical = one.sha256, packed(lexical_of(one))
        held = f"{path}\0{one.language}\0{sha}\0{hashlib.sha256(lexical).hexdigest()}"
        rows.append(ChunkRow(str(uuid.uuid5(_NAMESPACE, f"{held}\0{seen[held]}")), values_of(one), sha, lexical))
        seen[held] += 1
    return tuple(rows)


def values_of(one: Chunk) -> tuple[str | int, ...]:
    """The chunk's `CHUNK_FIELDS` as columns; a tuple of names is one text, a name a line."""
    values = list(_values(one))
    for place in _LISTS:
        values[place] = "\n".join(values[place])
    return tuple(values)


def chunk_of(path: str, values: Sequence[Any]) -> Chunk:
    """The chunk that `values_of` took apart."""
    own = dict(zip(CHUNK_FIELDS, values, strict=True))
    for place in _LISTS:
        own[_NAMES[place]] = tuple(values[place].split("\n")) if values[place] else ()
    return Chunk(path=path, **own)


def weighing() -> bytes:
    """Changes whenever terms are weighed in another way: vectors of both ways do not go together."""
    probe = Chunk(
        path="shop/cart.py",
        start_line=1,
        end_line=2,
        symbol="Cart.add_items",
        kind="method",
        language="python",
        text='def add_items(self, items):\n    """Adds the items."""\n    self.parsedHTTPItems += items\n',
        signature="def add_items(self, items):",
    )
    return packed(lexical_of(probe))


def packed(vector: Sparse) -> bytes:
    """Indices as 32-bit integers, then values as 32-bit floats, in the machine's order of bytes."""
    return array("I", vector.indices).tobytes() + array("f", vector.values).tobytes()


def unpacked(data: bytes) -> Sparse:
    half = len(data) // 2
    return Sparse(tuple(array("I", data[:half])), tuple(array("f", data[half:])))


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
