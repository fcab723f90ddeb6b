"""Which workspaces the user trusts: by real path and by the hash of the files in it that touch security.

One changed byte in `.pointsman/` or `.pointsmanignore` ends the trust until the user gives it again. Knows nothing of
what trust allows; the store is `config/trust.json`.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pointsman import safefile
from pointsman.errors import ConfigError, NotFound

_FOLDER, _IGNORE = ".pointsman", ".pointsmanignore"
_MOST_FILES, _MOST_BYTES = 1000, 16 << 20


@dataclass(frozen=True, slots=True)
class Trust:
    """The store of one user. Safe to use from several processes."""

    config: Path

    @property
    def file(self) -> Path:
        return self.config / "trust.json"

    def is_trusted(self, workspace: Path) -> bool:
        """False also when the store or the workspace cannot be read: then nothing is trusted."""
        try:
            entry = self.load().get(_real(workspace))
            return entry is not None and entry.get("sha256") == fingerprint(workspace)
        except (ConfigError, OSError):
            return False

    def trust(self, workspace: Path) -> str:
        """Trust the workspace as it is now; returns its real path. Raises `NotFound` or `ConfigError`."""
        if not workspace.is_dir():
            raise NotFound(f"{workspace} is not a folder")
        entry = {"sha256": fingerprint(workspace), "time": datetime.now(UTC).isoformat(timespec="seconds")}
        with self._changing() as workspaces:
            workspaces[_real(workspace)] = entry
        return _real(workspace)

    def untrust(self, workspace: Path) -> bool:
        """Forget the workspace; False when it was not known. Raises `ConfigError`."""
        with self._changing() as workspaces:
            return workspaces.pop(_real(workspace), None) is not None

    def load(self) -> dict[str, dict[str, Any]]:
        """What is trusted, by real path. Raises `ConfigError` for a damaged store."""
        try:
            stored = json.loads(safefile.read(self.file, private=True))
        except FileNotFoundError:
            return {}
        except (ValueError, RecursionError) as error:
            raise ConfigError(f"{self.file} is damaged", remedy="remove it and trust your workspaces again") from error
        workspaces = stored.get("workspaces") if isinstance(stored, dict) else None
        if not isinstance(workspaces, dict) or not all(isinstance(entry, dict) for entry in workspaces.values()):
            raise ConfigError(f"{self.file} is damaged", remedy="remove it and trust your workspaces again")
        return workspaces

    @contextmanager
    def _changing(self) -> Iterator[dict[str, dict[str, Any]]]:
        try:
            with safefile.locked(self.config / "trust.lock"):
                workspaces = self.load()
                yield workspaces
                text = json.dumps({"version": 1, "workspaces": workspaces}, indent=1, sort_keys=True)
                safefile.replace(self.file, text.encode())
        except OSError as error:
            raise ConfigError(f"{self.file} cannot be written: {error.strerror}") from error


def fingerprint(workspace: Path) -> str:
    """SHA-256 over name, kind and content of everything in `.pointsman/` and of `.pointsmanignore`.

    A link counts as its target's name and is not followed. Raises `ConfigError` when there is too much to read, and
    `OSError`.
    """
    digest = hashlib.sha256(b"pointsman trust 1")
    total = 0
    for number, path in enumerate(_relevant(workspace)):
        kind, content = _content(path)
        total += len(content)
        if number >= _MOST_FILES or total > _MOST_BYTES:
            raise ConfigError(f"{workspace / _FOLDER} holds too much to be trusted")
        for part in (os.fsencode(path.relative_to(workspace)), kind, content):
            digest.update(len(part).to_bytes(8, "big"))
            digest.update(part)
    return digest.hexdigest()


def _relevant(workspace: Path) -> Iterator[Path]:
    """In a fixed order."""
    if os.path.lexists(ignore := workspace / _IGNORE):
        yield ignore
    if os.path.lexists(folder := workspace / _FOLDER):
        yield folder
    if folder.is_symlink() or not folder.is_dir():
        return

    def unreadable(error: OSError) -> None:
        raise error

    for parent, folders, files in os.walk(folder, onerror=unreadable):
        folders.sort()
        for name in sorted((*folders, *files)):
            yield Path(parent, name)


def _content(path: Path) -> tuple[bytes, bytes]:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return b"link", os.fsencode(path.readlink())
    if stat.S_ISDIR(mode):
        return b"folder", b""
    if not stat.S_ISREG(mode):
        return b"other", b""
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:  # noqa: PTH123
        return b"file", file.read(_MOST_BYTES + 1)


def _real(workspace: Path) -> str:
    return os.path.realpath(workspace)
