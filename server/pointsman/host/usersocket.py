"""The user's own socket: where it is, who may use it, who holds it.

A folder 0700 with a socket 0600 in it keeps other users out; the peer's user id is checked all the same, because
a folder's mode can be changed under a running host. Source of the idea: ssh-agent's and gpg-agent's sockets.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from pointsman.errors import HostError
from pointsman.settings import Paths

_LONGEST = 100
"""Bytes that every platform takes as a socket's path (the field holds 104 on macOS, 108 on Linux)."""


def socket_path(paths: Paths) -> Path:
    return paths.run / "host.sock"


@contextlib.contextmanager
def reachable(path: Path) -> Iterator[str]:
    """A name of `path` short enough to bind or connect to.

    Linux lets a long folder be named by an open descriptor. Elsewhere a long path is refused with the remedy.
    """
    if len(os.fsencode(path)) <= _LONGEST:
        yield str(path)
        return
    if not sys.platform.startswith("linux"):
        raise HostError(f"{path} is too long for a socket", remedy="set POINTSMAN_HOME to a shorter path")
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def peer_is_self(connection: socket.socket) -> bool:
    """Whether the process at the other end runs as this user. False when the platform cannot say: fail closed."""
    if hasattr(socket, "SO_PEERCRED"):
        raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, uid, _ = struct.unpack("3i", raw)
        return bool(uid == os.geteuid())
    if sys.platform == "darwin":
        # LOCAL_PEERCRED = 1 at SOL_LOCAL = 0 gives struct xucred: version, uid, ...
        raw = connection.getsockopt(0, 1, 76)
        return bool(struct.unpack_from("2I", raw)[1] == os.geteuid())
    return False


def listener_pid(paths: Paths) -> int | None:
    """The process that listens on this user's socket, as the kernel says; None when there is none of this user's."""
    path = socket_path(paths)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(1)
        try:
            with reachable(path) as name:
                connection.connect(name)
            if not peer_is_self(connection):
                return None
            if hasattr(socket, "SO_PEERCRED"):
                raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
                return int(struct.unpack("3i", raw)[0])
            # LOCAL_PEERPID = 2 at SOL_LOCAL = 0
            return connection.getsockopt(0, 2)
        except OSError:
            return None


class SingleHost:
    """The lock that makes the host one per user. The kernel drops it with the process, kill -9 included."""

    def __init__(self, paths: Paths) -> None:
        self._path = paths.run / "host.lock"
        self._file: int | None = None

    def acquire(self) -> bool:
        """True when this process is now the host; False when another one is. Raises `HostError`."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise HostError(f"{self._path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return False
        self._file = handle
        return True

    def held(self) -> bool:
        """Whether some process is the host, without becoming it."""
        if self._file is not None:
            return True
        if self.acquire():
            self.release()
            return False
        return True

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
