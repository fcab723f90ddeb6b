"""Reading and replacing the files that decide what may leave: no links, no devices, no strangers' hands.

All checks are made on the opened descriptor, so that what was checked is what is read.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pointsman.errors import ConfigError

_LARGEST = 1 << 20


def read(path: Path, *, private: bool = False, largest: int = _LARGEST) -> bytes:
    """The whole file. Raises `FileNotFoundError`, or `ConfigError` naming the file and what is wrong with it.

    The file must be regular, not a symbolic link, owned by this user or root, not writable by everybody or by a group
    other than this user's own, and in a folder that not everybody may change. `private` also forbids any access by
    group and others.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(errno.ENOENT, "no such file", str(path)) from None
    except OSError as error:
        reason = "is a symbolic link" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
        raise ConfigError(f"{path} {reason}") from None
    try:
        _check(path, os.fstat(descriptor), path.parent.stat(), private=private)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(largest + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(data) > largest:
        raise ConfigError(f"{path} is larger than {largest} bytes")
    return data


def _check(path: Path, found: os.stat_result, folder: os.stat_result, *, private: bool) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise ConfigError(f"{path} is not a regular file")
    if found.st_uid not in (0, os.geteuid()):
        raise ConfigError(f"{path} belongs to another user")
    if private and found.st_mode & 0o077:
        raise ConfigError(f"{path} can be read by others", remedy=f"chmod 600 {path}")
    if found.st_mode & stat.S_IWOTH:
        raise ConfigError(f"{path} is writable by everybody", remedy=f"chmod o-w {path}")
    if found.st_mode & stat.S_IWGRP and found.st_gid not in (0, os.getegid()):
        raise ConfigError(f"{path} is writable by another group", remedy=f"chmod g-w {path}")
    if folder.st_mode & stat.S_IWOTH and not folder.st_mode & stat.S_ISVTX:
        raise ConfigError(f"{path.parent} is writable by everybody", remedy=f"chmod o-w {path.parent}")


def replace(path: Path, data: bytes) -> None:
    """Write `data` as the whole file, 0600, in one step that survives a crash. Raises `OSError`."""
    _put(path, data, Path.replace)


def create(path: Path, data: bytes) -> None:
    """As `replace`, but a file that is there already stays as it is. Raises `OSError`."""
    with contextlib.suppress(FileExistsError):
        _put(path, data, lambda temporary, target: target.hardlink_to(temporary))


def _put(path: Path, data: bytes, move: Callable[[Path, Path], object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        move(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a name that was just put into `folder` survive a power cut. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock file `path` against all threads and processes; wait for it. Raises `OSError`.

    The kernel keeps the queue, so nobody starves, and a killed holder lets go.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
