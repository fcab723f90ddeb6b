"""A repository's root and the bytes of its files, read without being led astray.

Symbolic links are never followed. Knows nothing of which files there are (`listing`), of languages or stores.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024
"""Bytes of a file that is indexed, at most."""
_RACY_NS = 2_000_000_000
"""A file touched this shortly before it was read may change again without a new timestamp on coarse file systems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A regular file below the root. `path` is relative, with `/`; times are nanoseconds."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileData:
    """A file's bytes with the facts of the very file that was read."""

    entry: FileEntry
    data: bytes
    blob: str
    settled: bool
    """False when the file was touched so recently that an equal timestamp proves nothing later."""


def blob_id(data: bytes) -> str:
    """Git's SHA-1 id of a blob with these bytes.

    Always of the bytes in the work tree and always SHA-1: so ids compare with those that editors and checks make of
    what they see, in repositories with line-ending conversion, filters or SHA-256, and where there is no repository.
    """
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def find_root(path: Path) -> Path:
    """The repository that holds `path` (a worktree or a submodule counts as its own), else its folder."""
    path = path.absolute()
    folder = path if path.is_dir() else path.parent
    return next(filter(is_repository, (folder, *folder.parents)), folder)


def is_repository(folder: Path) -> bool:
    """Whether git has its own there; a worktree and a submodule have a file that names the real folder."""
    mark = folder / ".git"
    return mark.is_file() or (mark / "HEAD").is_file()


def read(root: Path, path: str) -> FileData | None:
    """The file's bytes, or None when it is gone, grew too large, or is no regular file below the root any more.

    Each part of the path is opened without following links, so that a link planted after the walk leads nowhere.
    Raises `OSError` when it cannot be read.
    """
    try:
        with _opened(root, path) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                return None
            with os.fdopen(os.dup(descriptor), "rb") as file:
                data = file.read(LARGEST + 1)
            after = os.fstat(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    if len(data) > LARGEST:
        return None
    if data and status.st_size == 0 == after.st_size:
        return None  # the kernel's own files, as in /proc, say that they are empty: environments, other processes
    calm = after.st_mtime_ns == status.st_mtime_ns and time.time_ns() - status.st_mtime_ns > _RACY_NS
    return FileData(entry=entry_of(path, status), data=data, blob=blob_id(data), settled=calm)


def first_bytes(root: Path, path: str, most: int) -> bytes:
    """At most so many bytes of a regular file, links and pipes refused as in `read`. Raises `OSError`."""
    with _opened(root, path) as descriptor:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no regular file", path)
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(most)


def blob_of(root: Path, path: str) -> str | None:
    """The blob id of the file's bytes as they are now; None when there are none to be had."""
    try:
        found = read(root, path)
    except OSError:
        return None
    return found.blob if found else None


def stat_of(root: Path, path: str) -> FileEntry | None:
    """The entry of a file that was indexed before; None when it is gone or no regular file any more."""
    try:
        status = os.lstat(root / path)
    except OSError:
        return None
    return entry_of(path, status) if stat.S_ISREG(status.st_mode) else None


def entry_of(path: str, status: os.stat_result) -> FileEntry:
    return FileEntry(path=path, size=status.st_size, mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns)


@contextlib.contextmanager
def _opened(root: Path, path: str) -> Iterator[int]:
    *folders, name = path.split("/")
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    at = os.open(root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, flags | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = inner
        # Without O_NONBLOCK a named pipe would hold the indexer until someone writes to it.
        descriptor = os.open(name, flags | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
