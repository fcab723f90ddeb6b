"""What a set of edits was about to change, on disk before the first rename and gone after the last.

A process that is killed in between leaves its journal; the next one puts the old text back where it finds the new one.
Text that is neither was written by somebody since, and stays.
"""

from __future__ import annotations

import base64
import contextlib
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from pointsman import safefile
from pointsman.errors import PointsmanError
from pointsman.refactor.place import Place
from pointsman_indexer.files import blob_id

_LARGEST = 1 << 28
_TRIED_FOR = 24 * 60 * 60
"""Seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    path: str
    old: bytes | None
    """None when there was no file."""
    new_sha: str
    mode: int


@contextmanager
def kept(folder: Path, root: Path, entries: Sequence[Entry]) -> Iterator[None]:
    """Hold the folder's lock and keep the journal for as long as the block runs. Raises `OSError`."""
    with safefile.locked(folder / "lock"):
        file = folder / f"{uuid4().hex}.json"
        rows = [
            {
                "path": entry.path,
                "old": None if entry.old is None else base64.b64encode(entry.old).decode(),
                "new": entry.new_sha,
                "mode": entry.mode,
            }
            for entry in entries
        ]
        safefile.replace(file, json.dumps({"root": str(root.resolve()), "files": rows}).encode())
        yield  # after a kill the file stays; after an error the caller has put everything back
        file.unlink()


def recover(folder: Path) -> tuple[str, ...]:
    """Undo what was left half done; the paths that were put back, and those that could not be. Raises nothing for
    a journal that cannot be read: it is set aside. One of which something could not be put back stays for a day, after
    which the file may be another one of that name."""
    if not folder.is_dir():
        return ()
    told: list[str] = []
    with safefile.locked(folder / "lock"):
        for file in sorted(folder.glob("*.json")):
            try:
                left = json.loads(safefile.read(file, private=True, largest=_LARGEST))
                done = [_recovered(Path(left["root"]), row) for row in left["files"]]
            except (PointsmanError, OSError, ValueError, KeyError, TypeError):
                with contextlib.suppress(OSError):
                    file.rename(file.with_suffix(".unreadable"))
                continue
            kept_in = file.with_suffix(".unrestored") if time.time() - file.stat().st_mtime > _TRIED_FOR else file
            told += [f"{line}; its old text is kept in {kept_in}" if failed else line for line, failed in done if line]
            if not any(failed for _, failed in done):
                file.unlink()
            elif kept_in != file:
                file.rename(kept_in)
    return tuple(told)


def _recovered(root: Path, row: dict[str, object]) -> tuple[str, bool]:
    """What is to be said of a file, and whether it could not be put back."""
    path, kept_old, mode = str(row["path"]), row["old"], int(str(row["mode"]))
    old = None if kept_old is None else base64.b64decode(str(kept_old))
    try:
        with Place.below(root, path) as place:
            place.sweep()
            now = place.read_if_there()
            if now == old:
                return "", False
            if now is None or blob_id(now) != row["new"]:
                return f"{path} was changed since and stays as it is", False
            place.restore(old, mode)
    except (OSError, PointsmanError):
        return f"{path} could not be put back", True
    return f"{path} is as it was before an interrupted --apply", False
