"""How installed models lie on disk, so that a version is there as a whole or not at all.

    models/NAME                     link to the version in use; replaced in one step
    models/.versions/NAME/VERSION/  the files and manifest.json; at most two versions of a model stay
    models/.partial/                downloads on their way, kept so that the next pull can go on
    models/.lock                    held by the one pull under way

Knows nothing of where files come from or of which are trusted.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cattrs
from cattrs.errors import BaseValidationError

from pointsman.errors import PointsmanError, VerificationError
from pointsman.models.locks import write_json
from pointsman.safefile import sync_folder

MANIFEST = "manifest.json"
_BUILD = ".new-"
_OLD = ".old-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What was installed, when and from where: for people. Trust comes from the catalogue and the lock file."""

    name: str
    version: str
    source: str
    revision: str
    licence: str
    licence_url: str
    pulled_at: str
    """UTC, ISO 8601."""
    terms_accepted_at: str
    """When the user accepted the licence's terms; "" when it has none to accept."""
    first_use: bool
    """True when these very bytes were trusted because they were the first that came."""
    files: dict[str, dict[str, Any]]
    """sha256 and bytes of each file."""
    without_code: tuple[str, ...] = ()
    """Files out of which keys that point at code were taken."""


class Folders:
    """The models' folder. Raises `OSError` where the disk does, and what each method names."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.partial = root / ".partial"
        self._versions = root / ".versions"

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """One change at a time, in all processes of this user.

        Raises `PointsmanError` while another is under way, and for whatever the disk refuses inside.
        """
        try:
            self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.partial.mkdir(exist_ok=True, mode=0o700)
            with (self.root / ".lock").open("ab") as lock:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError as error:
                    raise PointsmanError("another pull is under way", remedy="wait for it to end") from error
                yield
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise PointsmanError("the disk is full", remedy="free some space and pull again") from error
            where = error.filename or self.root
            raise PointsmanError(f"cannot write {where}: {error.strerror or error}") from error

    def current(self, name: str) -> Path | None:
        """Folder of the version in use; None when the model is not installed."""
        link = self.root / name
        try:
            version = link.readlink().name
        except OSError:
            return None
        folder = self.version(name, version)
        return folder if (folder / MANIFEST).is_file() else None

    def version(self, name: str, version: str) -> Path:
        """Where `version` of a model is, if it is on disk."""
        return self._versions / name / version

    def others(self, name: str) -> list[Path]:
        """Whole versions that are not in use, the newest first."""
        current = self.current(name)
        found = [p for p in self._all(name) if p != current and not p.name.startswith(".")]
        return sorted((p for p in found if (p / MANIFEST).is_file()), key=lambda p: p.stat().st_mtime, reverse=True)

    def begin(self, name: str) -> Path:
        """An empty folder to build a version in."""
        home = self._versions / name
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        return Path(tempfile.mkdtemp(prefix=_BUILD, dir=home))

    def finish(self, build: Path, manifest: Manifest) -> Path:
        """Turn what was built into a whole version, not yet in use."""
        write_json(build / MANIFEST, cattrs.unstructure(manifest))  # also makes the other files' names last
        folder = self.version(manifest.name, manifest.version)
        if folder.exists():  # damaged: a sound version is never replaced by itself
            folder.rename(folder.with_name(f"{_OLD}{build.name.removeprefix(_BUILD)}"))
        build.rename(folder)
        sync_folder(folder.parent)
        return folder

    def use(self, name: str, folder: Path) -> None:
        """Make `folder` the version in use, in one step."""
        link = self.root / name
        if link.is_dir() and not link.is_symlink():
            raise PointsmanError(f"{link} was not made by a pull and is in the way", remedy="move it elsewhere")
        fresh = folder.with_name(f".link-{folder.name}")
        fresh.unlink(missing_ok=True)
        fresh.symlink_to(folder.relative_to(self.root))
        # The link is made beside the versions and moved: its target is relative to where it ends up.
        fresh.replace(link)
        sync_folder(self.root)

    def sweep(self, name: str, *, earlier: Path | None = None) -> set[str]:
        """Remove what broken-off pulls left and all versions but the one in use and one more, `earlier` or else the
        newest; gives the versions that stay."""
        current, others = self.current(name), self.others(name)
        kept = [current] if current is not None else []
        kept += [other for other in others if other == earlier] or others[:1]
        for leftover in set(self._all(name)) - set(kept):
            if leftover.is_symlink():
                leftover.unlink()
            else:
                shutil.rmtree(leftover, ignore_errors=True)
        return {folder.name for folder in kept}

    def _all(self, name: str) -> list[Path]:
        home = self._versions / name
        return list(home.iterdir()) if home.is_dir() else []


def read_manifest(folder: Path) -> Manifest:
    """Raises `VerificationError` when the manifest is not what a pull writes."""
    try:
        content = json.loads((folder / MANIFEST).read_text("utf-8"))
        return cattrs.structure(content, Manifest)
    except (OSError, ValueError, TypeError, BaseValidationError, RecursionError) as error:
        raise VerificationError(f"{folder.name}: the manifest is damaged", remedy="pull the model again") from error


def plain_files(folder: Path) -> dict[str, os.stat_result]:
    """Status of each file by name, without the manifest. Raises `VerificationError` for anything but plain files."""
    found = {}
    for path in folder.iterdir():
        status = path.lstat()
        if not stat.S_ISREG(status.st_mode):
            raise VerificationError(f"{path.name} is not a plain file", remedy="pull the model again")
        if path.name != MANIFEST:
            found[path.name] = status
    return found
