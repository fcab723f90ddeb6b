"""Write reviewed edits to disk: all of them or none, and only over the very text that they were made from.

The command line's way; an editor applies a versioned workspace edit itself. No link is followed on the way from the
root to the file, and each file is replaced by a rename, so that a reader sees the old text or the new one.
"""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from uuid import uuid4

from pointsman.errors import NotFound, PointsmanError
from pointsman.refactor.types import FileEdit
from pointsman_indexer.files import blob_id

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    edit: FileEdit
    folder: int
    """Descriptor of the folder; everything is done relative to it."""
    name: str
    mode: int
    old: bytes


def apply(edits: Sequence[FileEdit], root: Path) -> None:
    """Apply all edits below `root`.

    Raises `PointsmanError` when a file is not the one that the edit was made from or is reached by a link, `NotFound`
    when it is gone. After any error every file is as it was.
    """
    with contextlib.ExitStack() as stack:
        targets = [stack.enter_context(_opened(edit, root)) for edit in edits]
        done: list[_Target] = []
        try:
            for target in targets:
                if _read(target.folder, target.name)[0] != target.old:
                    raise PointsmanError(f"{target.edit.path} changed while the edits were applied")
                _write(target, target.edit.new_text.encode("utf-8", "surrogatepass"))
                done.append(target)
        except BaseException as error:
            for target in reversed(done):
                _write(target, target.old)
            if isinstance(error, OSError):
                raise PointsmanError(
                    f"the edits could not be written: {error.strerror}; nothing was changed"
                ) from error
            raise


@contextmanager
def _opened(edit: FileEdit, root: Path) -> Iterator[_Target]:
    """The file's folder, reached without following a link, and its contents after the checks."""
    parts = PurePosixPath(edit.path).parts
    if not parts or ".." in parts or PurePosixPath(edit.path).is_absolute():
        raise PointsmanError(f"{edit.path} is not a path inside the repository")
    folder = -1
    try:
        folder = os.open(root.resolve(), _FOLDER)
        for part in parts[:-1]:
            inner = os.open(part, _FOLDER, dir_fd=folder)
            os.close(folder)
            folder = inner
        data, mode = _read(folder, parts[-1])
        if blob_id(data) != edit.base_sha:
            raise PointsmanError(
                f"{edit.path} is no longer the text that the edit was made from", remedy="run the refactor again"
            )
        yield _Target(edit=edit, folder=folder, name=parts[-1], mode=mode, old=data)
    except FileNotFoundError as error:
        raise NotFound(f"{edit.path} does not exist") from error
    except OSError as error:
        raise PointsmanError(f"{edit.path} cannot be changed: {error.strerror}") from error
    finally:
        if folder >= 0:
            os.close(folder)


def _read(folder: int, name: str) -> tuple[bytes, int]:
    """Contents and permission bits of a regular file; `OSError` for a link, `PointsmanError` for anything else."""
    descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise PointsmanError(f"{name} is not a regular file")
        return file.read(), stat.S_IMODE(status.st_mode)


def _write(target: _Target, data: bytes) -> None:
    temporary = f".{target.name}.{uuid4().hex}.tmp"
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=target.folder
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(descriptor, target.mode)
            os.fsync(descriptor)
        os.replace(temporary, target.name, src_dir_fd=target.folder, dst_dir_fd=target.folder)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary, dir_fd=target.folder)
        raise
