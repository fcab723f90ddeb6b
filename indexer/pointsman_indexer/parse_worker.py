"""The child process that parses: batches of files on standard input, one answer for each file on standard output.

Grammars are C code that meets any bytes: here a crash, a runaway loop or a hunger for memory costs one file. A timer
of processor time ends the process when a file takes too long, whatever it is doing; a timer of real time would blame
files for a busy machine. Knows nothing of files on disk.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import resource
import select
import signal
import sys
from typing import NamedTuple

from pointsman_indexer.niceness import give_way
from pointsman_indexer.parsing import ParsedFile, parse_file

_HEADER = 8
_SECONDS, _PLAIN_SECONDS = 0.75, 0.25
"""Of processor time for one file, and for one that is taken as plain text because it took longer: a second together. A
megabyte of sane code takes half of one, and a seventh as text."""
_BYTES = 2 * 1024**3
_IDLE_SECONDS = 900
_NICENESS = 5
READY = b"ready"


class Source(NamedTuple):
    """A file to parse."""

    path: str
    data: bytes
    plain: bool = False
    """Whether to leave the grammar out."""


def send(descriptor: int, message: bytes) -> None:
    """Write a frame. Raises `OSError`."""
    for part in (len(message).to_bytes(_HEADER, "big"), message):
        view = memoryview(part)
        while view:
            view = view[os.write(descriptor, view) :]


def receive(descriptor: int) -> bytes | None:
    """Read a frame; None at the end of the stream."""
    header = _exactly(descriptor, _HEADER)
    return _exactly(descriptor, int.from_bytes(header, "big")) if header is not None else None


def _exactly(descriptor: int, count: int) -> bytes | None:
    parts, missing = [], count
    while missing:
        part = os.read(descriptor, min(missing, 1 << 20))
        if not part:
            return None
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def main() -> None:
    """Serve until the parent closes the pipe, or asks nothing for a quarter of an hour."""
    jobs, answers = os.dup(0), os.dup(1)
    os.dup2(2, 1)  # whatever a library prints must not get between the answers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump would hold source text
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (_BYTES, _BYTES))
    give_way(_NICENESS)
    send(answers, READY)
    while select.select([jobs], [], [], _IDLE_SECONDS)[0]:
        job = receive(jobs)
        if job is None:
            return
        for source in pickle.loads(job):
            send(answers, pickle.dumps(_parsed(Source(*source)), pickle.HIGHEST_PROTOCOL))


def _parsed(source: Source) -> ParsedFile:
    signal.setitimer(signal.ITIMER_PROF, _PLAIN_SECONDS if source.plain else _SECONDS)
    try:
        return parse_file(*source)
    except Exception:  # one file's trouble; what it was would quote the file
        return ParsedFile(language="", skipped="crashed")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        main()
    sys.exit(0)
