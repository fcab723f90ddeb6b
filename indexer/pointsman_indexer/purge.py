"""Makes sure that what was excluded is gone: looks for its names and some of its text in the index's own files."""

from __future__ import annotations

import mmap
from collections.abc import Iterable, Sequence
from pathlib import Path

from pointsman_indexer.catalog import Catalog
from pointsman_indexer.errors import IndexerError

_MOST_FILES, _MOST_TEXTS = 32, 2
_SHORTEST, _LONGEST = 24, 80


def needles(catalog: Catalog, paths: Sequence[str]) -> list[bytes]:
    """What to look for once these files are purged: their paths, and the middle of a few of their chunks."""
    found = [path.encode() for path in paths[:_MOST_FILES]]
    for path in paths[:_MOST_FILES]:
        row = catalog.file(path)
        for chunk in catalog.rows(row.version)[:_MOST_TEXTS] if row is not None else ():
            text = max((str(value) for value in chunk.values), key=len)
            middle = text[len(text) // 2 :][:_LONGEST].encode()
            if len(middle) >= _SHORTEST:
                found.append(middle)
    return found


def check_gone(folder: Path, catalog: Catalog, marks: Iterable[bytes]) -> None:
    """Raises `IndexerError` when a mark is still in some file of `folder`, and no file that may be read explains it."""
    left = [mark for mark in marks if not catalog.mentions(mark.decode())]
    for file in folder.rglob("*") if left else ():
        if file.is_symlink() or not file.is_file() or not file.stat().st_size:
            continue
        with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
            if any(data.find(mark) >= 0 for mark in left):
                raise IndexerError(
                    f"what was excluded could not be removed from {file.name}", remedy=f"delete {folder}: it is remade"
                )
