"""What makes a model child safe to start: it talks on one clean pipe, opens no connection, and dies with its parent.

Shared by the torch child and the llama.cpp child. Knows nothing of models.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import BinaryIO

from pointsman.worker.messages import MAX_LINE

WRITING, EMBEDDING = 5, 10
"""Nicenesses of children on a CPU: the editor goes first, then what a model writes, then vectors."""
_PR_SET_PDEATHSIG = 1


def take_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes from and to the parent. Whatever prints to descriptor 1 or 2 from now on goes nowhere:
    a progress bar or a C library must neither corrupt the protocol nor write source text to a log."""
    source = os.fdopen(os.dup(0), "rb")
    sink = os.fdopen(os.dup(1), "wb")
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    return source, sink


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when its parent dies; end of file on stdin covers the other systems.

    Args:
        parent: the process id that started this one, to notice a parent that died before the call.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            os._exit(0)


def refuse_network() -> None:
    """Make every connection attempted from Python in this process fail, whatever a library tries to fetch."""

    def hook(event: str, _args: tuple[object, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto", "socket.bind"):
            raise OSError("the model engine has no network")

    sys.addaudithook(hook)


def read_lines(source: BinaryIO, each: Callable[[bytes], None]) -> None:
    """Hand every line to `each` from a thread of its own; at end of file, leave the process.

    The thread ends the process by `os._exit`, so a model that is loading or in a forward pass does not delay it.
    """

    def loop() -> None:
        while line := source.readline(MAX_LINE + 1):
            if len(line) > MAX_LINE:
                break
            each(line)
        os._exit(0)

    threading.Thread(target=loop, name="parent", daemon=True).start()
