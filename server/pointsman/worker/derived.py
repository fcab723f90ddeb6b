"""Folders made from a model's files once and kept: converted from GGUF, quantised to NF4. Whole or absent.

A folder is named by what it was made from and appears by one rename, with a list of its files and their hashes. One
that is not as it was made counts as absent. Losing any of them costs time only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pointsman import safefile

_WORK = ".making-"
_LIST = "derived.json"
"""In the folder: stamps (size and times) and hashes of its files."""
_ABANDONED = 3600
"""Seconds after which a folder that was never finished is taken for a dead process's."""


def identity(files: Sequence[Path], sha256: str = "") -> str:
    """A short name for the content of `files`: from the hash that they were verified by, else from their sizes and
    times, since hashing gigabytes at every start would cost more than it saves."""
    facts = sha256 or repr([(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(files)])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


class Derived:
    """One derived folder: `kind` of the model `name`, made from what `identity` names."""

    def __init__(self, cache_dir: Path, name: str, kind: str, identity: str) -> None:
        self._family = f"{name}.{kind}."
        self.path = cache_dir / "derived" / f"{self._family}{identity}"

    def there(self) -> bool:
        """Whether the folder is as it was made. It is read only where the stamps of its files have changed, or every
        start would be slow."""
        try:
            made = json.loads((self.path / _LIST).read_bytes())
            if made["stamps"] == _stamps(self.path):
                return True
            found = _listed(self.path)
            if made["sha256"] != found["sha256"]:
                return False
        except (OSError, ValueError, TypeError, KeyError):
            return False
        with contextlib.suppress(OSError):  # without it the next start reads the files again, no more
            _write(self.path, found)
        return True

    def drop(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)

    def make(self, write: Callable[[Path], None]) -> Path:
        """Let `write` fill a folder and put it in place; then drop those made from older files.

        Raises `OSError` when the cache cannot be written, and what `write` raises.
        """
        parent = self.path.parent
        parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        work = Path(tempfile.mkdtemp(prefix=_WORK, dir=parent))
        try:
            write(work)
            for file in work.iterdir():
                with file.open("rb") as opened:
                    os.fsync(opened.fileno())
            _write(work, _listed(work))
            try:
                work.rename(self.path)
            except OSError:
                # Another process was faster, and its folder is as good as this one; or it is a damaged one.
                if not self.there():
                    self.drop()
                    work.rename(self.path)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self._drop_older()
        return self.path

    def _drop_older(self) -> None:
        for other in self.path.parent.iterdir():
            outdated = other.name.startswith(self._family) and other != self.path
            if outdated or (other.name.startswith(_WORK) and time.time() - other.stat().st_mtime > _ABANDONED):
                shutil.rmtree(other, ignore_errors=True)


def _files(folder: Path) -> list[Path]:
    return [file for file in folder.iterdir() if file.name != _LIST and not file.name.startswith(".")]


def _stamps(folder: Path) -> dict[str, list[int]]:
    found = {file.name: file.stat() for file in _files(folder)}
    return {name: [stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns] for name, stat in found.items()}


def _listed(folder: Path) -> dict[str, object]:
    stamps, hashes = _stamps(folder), {}
    for file in _files(folder):
        with file.open("rb") as opened:
            hashes[file.name] = hashlib.file_digest(opened, "sha256").hexdigest()
    return {"stamps": stamps, "sha256": hashes}


def _write(folder: Path, listed: dict[str, object]) -> None:
    safefile.replace(folder / _LIST, json.dumps(listed).encode("ascii"))
