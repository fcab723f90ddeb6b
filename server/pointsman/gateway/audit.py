"""The record of what left and what was refused: append-only, chained by hash, on disk before the first byte leaves.

JSON Lines in segments under `data/audit`. A line is `{"hash":H,"record":R}`: R is canonical JSON (RFC 8785), H its
SHA-256, and R's `prev` the H of the line before. The newest H is also kept outside the folder, so that lines cut from
the end are missed. Holds hashes and sizes, never text. Knows nothing of policy or of HTTP.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import rfc8785

from pointsman import safefile
from pointsman.errors import ConfigError, GatewayError, VerificationError

_GENESIS = "0" * 64
_OPENING, _MIDDLE, _CLOSING = b'{"hash":"', b'","record":', b"}"
_PREFIX = len(_OPENING) + 64 + len(_MIDDLE)
_SEGMENT_BYTES = 16 << 20
_LONGEST = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What `verify` found. `bad_seq` is the first record that is wrong or missing."""

    records: int
    bad_seq: int | None = None
    file: str = ""
    line: int = 0
    why: str = ""
    healed_bytes: int = 0
    """Bytes of a record that a crash had cut short; removed, and recorded as such."""

    @property
    def sound(self) -> bool:
        return self.bad_seq is None


@dataclass(frozen=True, slots=True)
class _Head:
    """The newest record: its number, 0 for none, and its hash."""

    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class _Tail:
    """The end of the log as it lies on disk: the last whole record, and what a crash left after it."""

    head: _Head
    prev: str
    torn_file: Path | None = None
    torn: bytes = b""


class AuditLog:
    """One user's log. Safe to append to from several processes: a lock file lets one in at a time."""

    def __init__(self, folder: Path, *, segment_bytes: int = _SEGMENT_BYTES) -> None:
        self._folder = folder
        self._head_file = folder.parent / "audit-head.json"
        self._segment_bytes = segment_bytes

    def append(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Write one record and wait until it is on disk; returns its number.

        Raises `GatewayError` when it cannot be written and `VerificationError` when the log was tampered with: in both
        cases nothing may be sent.
        """
        try:
            with safefile.locked(self._folder / "lock"):
                tail = self._tail()
                if not _consistent(tail, self._kept_head()):
                    raise VerificationError(
                        "the audit log was tampered with, so nothing is sent", remedy="pointsman audit verify"
                    )
                return self._write(kind, fields, self._heal(tail))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise GatewayError(f"the audit record cannot be written ({reason}), so nothing is sent") from error

    def records(self) -> Iterator[dict[str, Any]]:
        """All records, oldest first, as they stand: unverified. A line that is no record is left out."""
        for _, _, line in self._lines():
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(value, dict) and isinstance(value.get("record"), dict):
                yield {"hash": value.get("hash"), **value["record"]}

    def verify(self) -> Verdict:
        """Check every record against its hash, the chain and the head; heals a torn tail first.

        Raises `GatewayError` when the log cannot be read.
        """
        try:
            with safefile.locked(self._folder / "lock"):
                healed = 0
                try:
                    kept = self._kept_head()
                    tail = self._tail()
                    if _consistent(tail, kept):
                        self._heal(tail)
                        healed = len(tail.torn)
                except VerificationError:
                    pass  # The walk below finds it and says where.
                return dataclasses.replace(self._walk(), healed_bytes=healed)
        except OSError as error:
            raise GatewayError(f"the audit log cannot be read ({error.strerror or type(error).__name__})") from error

    def _walk(self) -> Verdict:
        try:
            kept = self._kept_head()
        except VerificationError:
            return Verdict(records=0, bad_seq=1, file=self._head_file.name, why="is damaged")
        newest, at_kept = _Head(0, _GENESIS), _GENESIS
        for path, number, line in self._lines():
            if why := _unsound(line, newest):
                return Verdict(records=newest.seq, bad_seq=newest.seq + 1, file=path.name, line=number, why=why)
            newest = _Head(newest.seq + 1, line[len(_OPENING) : len(_OPENING) + 64].decode())
            if kept is not None and newest.seq == kept.seq:
                at_kept = newest.hash
        bad, why = newest.seq, ""
        if kept is None:
            why = "the head that is kept outside the log is missing" if newest.seq else ""
        elif kept.seq > newest.seq:
            bad, why = newest.seq + 1, f"is missing: the log ends here, its head is record {kept.seq}"
        elif kept.hash != at_kept:
            bad, why = kept.seq, "differs from the head that is kept outside the log"
        elif kept.seq < newest.seq - 1:
            bad, why = kept.seq + 1, "is newer than the head that is kept outside the log"
        return Verdict(
            records=newest.seq, bad_seq=bad if why else None, file=self._head_file.name if why else "", why=why
        )

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.jsonl"))

    def _lines(self) -> Iterator[tuple[Path, int, bytes]]:
        """Every line with its end, its file and its number there, oldest first."""
        for path in self._segments():
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    yield path, number, line

    def _tail(self) -> _Tail:
        """Raises `VerificationError` when the last whole line is no record."""
        torn_file, torn = None, b""
        for path in reversed(self._segments()):
            with path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - 2 * _LONGEST))
                *lines, rest = file.read().split(b"\n")
            if rest and torn_file is None:
                torn_file, torn = path, rest
            if not lines:
                continue
            try:
                value = json.loads(lines[-1])
                record = value["record"]
                return _Tail(_Head(int(record["seq"]), str(value["hash"])), str(record["prev"]), torn_file, torn)
            except (ValueError, KeyError, TypeError, RecursionError):
                raise VerificationError(
                    "the newest audit record is damaged, so nothing is sent", remedy="pointsman audit verify"
                ) from None
        return _Tail(_Head(0, _GENESIS), _GENESIS, torn_file, torn)

    def _heal(self, tail: _Tail) -> _Head:
        """Cut off what a crash left of an unfinished record, and record that. Returns the newest record then."""
        if tail.torn_file is None:
            return tail.head
        with tail.torn_file.open("r+b") as file:
            file.truncate(file.seek(0, os.SEEK_END) - len(tail.torn))
            os.fsync(file.fileno())
        fields = {"healed_bytes": len(tail.torn), "healed_sha256": hashlib.sha256(tail.torn).hexdigest()}
        self._write("healed", fields, tail.head)
        return self._tail().head

    def _kept_head(self) -> _Head | None:
        try:
            value = json.loads(safefile.read(self._head_file))
            return _Head(int(value["seq"]), str(value["hash"]))
        except FileNotFoundError:
            return None
        except (ConfigError, ValueError, KeyError, TypeError):
            raise VerificationError(
                "the head of the audit log is damaged, so nothing is sent", remedy="pointsman audit verify"
            ) from None

    def _write(self, kind: str, fields: Mapping[str, Any], head: _Head) -> int:
        seq, time = head.seq + 1, datetime.now(UTC).isoformat(timespec="milliseconds")
        record = rfc8785.dumps({**fields, "seq": seq, "prev": head.hash, "time": time, "kind": kind})
        digest = hashlib.sha256(record).hexdigest()
        line = _OPENING + digest.encode() + _MIDDLE + record + _CLOSING + b"\n"
        if len(line) > _LONGEST:
            raise GatewayError("the audit record would be too large, so nothing is sent")
        path = self._segment_for(len(line), seq)
        fresh = not path.exists()
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            written = 0
            while written < len(line):
                written += os.write(descriptor, line[written:])
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            safefile.sync_folder(self._folder)
        safefile.replace(self._head_file, json.dumps({"seq": seq, "hash": digest}).encode())
        return seq

    def _segment_for(self, size: int, seq: int) -> Path:
        """The file that the next line goes to; segments are named by their first record's number."""
        segments = self._segments()
        if segments and segments[-1].stat().st_size + size <= self._segment_bytes:
            return segments[-1]
        return self._folder / f"{seq:012d}.jsonl"


def _consistent(tail: _Tail, kept: _Head | None) -> bool:
    """Whether the log ends where the head kept outside says, or, after a crash between the two writes, one later."""
    kept = kept or _Head(0, _GENESIS)
    return tail.head == kept or (tail.head.seq == kept.seq + 1 and tail.prev == kept.hash)


def _unsound(line: bytes, before: _Head) -> str:
    """Why a line is not the record that follows `before`; "" when it is."""
    content = line[_PREFIX : -len(_CLOSING) - 1]
    if line != _OPENING + line[len(_OPENING) : len(_OPENING) + 64] + _MIDDLE + content + _CLOSING + b"\n":
        return "is not a whole record"
    if hashlib.sha256(content).hexdigest().encode() != line[len(_OPENING) : len(_OPENING) + 64]:
        return "does not match its hash"
    try:
        record = json.loads(content)
        seq, prev = record["seq"], record["prev"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return "is not a record"
    if seq != before.seq + 1:
        return f"is missing: record {seq} stands in its place"
    return "" if prev == before.hash else "does not follow the record before it"
