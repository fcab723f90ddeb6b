"""The audit log's files: one for each day at most, named by the number of its first record, only ever appended to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pointsman import safefile
from pointsman.errors import VerificationError
from pointsman.gateway.chain import NO_RECORD, START, record_in
from pointsman.gateway.signing import Head

LONGEST = 1 << 20
"""Bytes of a line, at most."""


@dataclass(frozen=True, slots=True)
class Tail:
    """The end of the log as it lies on disk: the last whole record, and what a crash left after it."""

    head: Head
    prev: str
    day: str = ""
    """Of the last whole record."""
    torn_file: Path | None = None
    torn: bytes = b""


@dataclass(frozen=True, slots=True)
class Segments:
    """Raises `OSError` when a file cannot be read or written."""

    folder: Path
    segment_bytes: int

    def paths(self) -> list[Path]:
        """The oldest first."""
        return sorted(self.folder.glob("[0-9]*.jsonl"))

    def lines(self) -> Iterator[tuple[Path, int, bytes]]:
        """Every line with its end, its file and its number there, oldest first."""
        for path in self.paths():
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    yield path, number, line

    def tail(self) -> Tail:
        """Raises `VerificationError` when the last whole line is no record."""
        torn_file, torn = None, b""
        for path in reversed(self.paths()):
            *lines, rest = _end(path, 2 * LONGEST).split(b"\n")
            if rest and torn_file is None:
                torn_file, torn = path, rest
            if not lines:
                continue
            try:
                record = record_in(lines[-1])
                head = Head(record["seq"], record["hash"])
                return Tail(head, str(record["prev"]), str(record["time"])[:10], torn_file, torn)
            except NO_RECORD:
                raise VerificationError(
                    "the newest audit record is damaged, so nothing is sent", remedy="pointsman audit verify"
                ) from None
        return Tail(START, START.hash, "", torn_file, torn)

    def cut(self, tail: Tail) -> None:
        """Take away what a crash left of an unfinished record."""
        if tail.torn_file is not None:
            with tail.torn_file.open("r+b") as file:
                file.truncate(file.seek(0, os.SEEK_END) - len(tail.torn))
                os.fsync(file.fileno())

    def last_day(self, path: Path) -> str:
        """The day of a whole segment's last record; "" when it is no record."""
        try:
            return str(record_in(_end(path, LONGEST).rstrip(b"\n").rpartition(b"\n")[2])["time"])[:10]
        except NO_RECORD:
            return ""

    def next_path(self, size: int, seq: int, *, same_day: bool) -> Path:
        """The file that a line of so many bytes, with record `seq`, goes to."""
        if paths := self.paths():
            filled = paths[-1].stat().st_size
            if filled == 0 or (same_day and filled + size <= self.segment_bytes):
                return paths[-1]
        return self.folder / f"{seq:012d}.jsonl"

    def remove(self, paths: list[Path]) -> None:
        """The oldest first: a crash leaves a chain that only begins earlier."""
        for path in paths:
            path.unlink()
        safefile.sync_folder(self.folder)


def append_durably(path: Path, data: bytes) -> None:
    """Write to the end of a file, 0600, and wait until it is on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def cut_torn(path: Path) -> None:
    """Take away a last line without an end, which what is appended would become a part of."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileNotFoundError), os.fdopen(os.open(path, flags), "r+b") as file:
        rest = file.read().rpartition(b"\n")[2]
        if rest:
            file.truncate(file.tell() - len(rest))
            os.fsync(file.fileno())


def _end(path: Path, most: int) -> bytes:
    with path.open("rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - most))
        return file.read()
