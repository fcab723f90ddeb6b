"""What the index reads of a repository, for measurements that change a copy of it. The repository is only read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from pointsman_indexer import files, listing
from pointsman_indexer.exclude import Exclusions


def contents(root: Path, exclude: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Paths and bytes. `.gitignore` stays behind: a copy is no repository, where it would hide files that are tracked
    in spite of it."""
    for entry in listing.walk(root, Exclusions(root, exclude)).files:
        try:
            data = files.read(root, entry.path)
        except OSError:
            continue
        if data is not None and not entry.path.endswith(".gitignore"):
            yield entry.path, data.data


def write(copy: Path, path: str, data: bytes) -> None:
    target = copy / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
