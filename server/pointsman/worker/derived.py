"""Folders made from a model's files once and kept: converted from GGUF, quantised to NF4. Whole or absent.

A folder is named by what it was made from and appears by one rename. Losing any of them costs time only.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

_WORK = ".making-"
_ABANDONED = 3600
"""Seconds after which a folder that was never finished is taken for a dead process's."""


def identity(files: Sequence[Path], sha256: str = "") -> str:
    """A short name for the content of `files`: from the catalogue's hash, else from their sizes and times, since
    hashing gigabytes at every start would cost more than it saves."""
    facts = sha256 or repr([(f.name, f.stat().st_size, f.stat().st_mtime_ns) for f in sorted(files)])
    return hashlib.sha256(facts.encode()).hexdigest()[:16]


class Derived:
    """One derived folder: `kind` of the model `name`, made from what `identity` names."""

    def __init__(self, cache_dir: Path, name: str, kind: str, identity: str) -> None:
        self._family = f"{name}.{kind}."
        self.path = cache_dir / "derived" / f"{self._family}{identity}"

    def there(self) -> bool:
        return self.path.is_dir()

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
            try:
                work.rename(self.path)
            except OSError:
                # Another process was faster; its folder is as good as this one.
                if not self.there():
                    raise
        finally:
            shutil.rmtree(work, ignore_errors=True)
        self._drop_older()
        return self.path

    def _drop_older(self) -> None:
        for other in self.path.parent.iterdir():
            outdated = other.name.startswith(self._family) and other != self.path
            if outdated or (other.name.startswith(_WORK) and time.time() - other.stat().st_mtime > _ABANDONED):
                shutil.rmtree(other, ignore_errors=True)
