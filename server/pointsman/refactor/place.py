"""One file below a root, held by its folder's descriptor: read, made, replaced and removed without following a link."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import uuid4

from pointsman.errors import PointsmanError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    folder: int
    """Descriptor of the folder; everything is done relative to it."""
    name: str

    @classmethod
    @contextmanager
    def below(cls, root: Path, path: str, *, make_folders: bool = False) -> Iterator[Place]:
        """The place of a root-relative path. Raises `OSError`, or `PointsmanError` for a path that leads out.

        Folders that were made and are empty at the end are removed again.
        """
        parts = PurePosixPath(path).parts
        if not parts or ".." in parts or PurePosixPath(path).is_absolute():
            raise PointsmanError(f"{path} is not a path inside the repository")
        with contextlib.ExitStack() as stack:
            folder = os.open(root.resolve(), _FOLDER)
            stack.callback(os.close, folder)
            for part in parts[:-1]:
                made = make_folders and _made(folder, part)
                inner = os.open(part, _FOLDER, dir_fd=folder)
                if made:
                    stack.callback(_remove_empty, folder, part)
                stack.callback(os.close, inner)
                folder = inner
            yield cls(folder=folder, name=parts[-1])

    def read(self) -> tuple[bytes, int]:
        """Contents and permission bits of a regular file; `OSError` for a link, `PointsmanError` for anything else."""
        descriptor = os.open(self.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=self.folder)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise PointsmanError(f"{self.name} is not a regular file")
            return file.read(), stat.S_IMODE(status.st_mode)

    def read_if_there(self) -> bytes | None:
        try:
            return self.read()[0]
        except FileNotFoundError:
            return None

    def write(self, data: bytes, mode: int) -> None:
        """Replace the file in one step."""
        with self._temporary(data, mode) as temporary:
            os.replace(temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def create(self, data: bytes) -> None:
        """Make the file; `FileExistsError` when there is one."""
        with self._temporary(data, 0o644) as temporary:
            os.link(temporary, self.name, src_dir_fd=self.folder, dst_dir_fd=self.folder)

    def restore(self, data: bytes | None, mode: int) -> None:
        """The file as it was; None: there was none."""
        if data is None:
            os.unlink(self.name, dir_fd=self.folder)
        else:
            self.write(data, mode)

    def sweep(self) -> None:
        """Remove the temporary files that a killed process left for this name."""
        for name in os.listdir(self.folder):  # noqa: PTH208  # a descriptor, which no path can stand for
            if re.fullmatch(rf"\.{re.escape(self.name)}\.[0-9a-f]{{32}}\.tmp", name):
                os.unlink(name, dir_fd=self.folder)

    @contextmanager
    def _temporary(self, data: bytes, mode: int) -> Iterator[str]:
        name = f".{self.name}.{uuid4().hex}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        descriptor = os.open(name, flags, 0o600, dir_fd=self.folder)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(descriptor, mode)
                os.fsync(descriptor)
            yield name
        finally:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name, dir_fd=self.folder)


def _made(folder: int, name: str) -> bool:
    try:
        os.mkdir(name, 0o755, dir_fd=folder)
    except FileExistsError:
        return False
    return True


def _remove_empty(folder: int, name: str) -> None:
    with contextlib.suppress(OSError):
        os.rmdir(name, dir_fd=folder)
