"""The record of what left and what was refused: append-only, chained by hash, on disk before the first byte leaves.

JSON Lines in segments under `data/audit`. A line is `{"hash":H,"record":R}`: R is canonical JSON (RFC 8785), H its
SHA-256, and R's `prev` the H of the line before. The newest H is also kept outside the folder, signed, so that lines
cut from the end are missed; so is the H before each segment, from which the chain goes on where older segments were
removed by policy. A segment holds one day at most. Holds hashes and sizes, never text.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import rfc8785

from pointsman import safefile
from pointsman.errors import ConfigError, GatewayError, VerificationError
from pointsman.gateway.signing import Head, Signer

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What stands in the log, unverified."""

    records: list[dict[str, Any]]
    """Oldest first."""
    damage: str
    """What is missing or no record, as far as that shows without checking hashes; "" for nothing."""


@dataclass(frozen=True, slots=True)
class _Tail:
    """The end of the log as it lies on disk: the last whole record, and what a crash left after it."""

    head: Head
    prev: str
    day: str = ""
    """Of the last whole record."""
    torn_file: Path | None = None
    torn: bytes = b""


class AuditLog:
    """One user's log. Safe to append to from several processes: a lock file lets one in at a time."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = _SEGMENT_BYTES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._folder = folder
        self._head_file = folder.parent / "audit-head.json"
        self._checkpoints_file = folder.parent / "audit-checkpoints.jsonl"
        self._signer = Signer(folder.parent / "audit-key")
        self._segment_bytes = segment_bytes
        self._now = now

    def append(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Write one record and wait until it is on disk; returns its number.

        Raises `GatewayError` when it cannot be written and `VerificationError` when the log was tampered with: in both
        cases nothing may be sent.
        """
        try:
            with safefile.locked(self._folder / "lock"):
                return self._write(kind, fields, self._sound_tail())
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise GatewayError(f"the audit record cannot be written ({reason}), so nothing is sent") from error

    def prune(self, keep_days: int) -> date | None:
        """Remove whole segments whose newest record is older than that, and record it; returns the first day that
        stays, None when nothing was removed. Raises as `append` does."""
        first_kept = self._now().date() - timedelta(days=keep_days)
        try:
            segments = self._segments()
            if len(segments) < 2 or datetime.fromtimestamp(segments[0].stat().st_mtime, UTC).date() >= first_kept:
                return None
            with safefile.locked(self._folder / "lock"):
                tail = self._sound_tail()
                old: list[Path] = []
                for path in self._segments()[:-1]:
                    if self._last_day(path) >= first_kept.isoformat():
                        break
                    old.append(path)
                if not old:
                    return None
                last = int(self._segments()[len(old)].stem) - 1
                self._write("pruned", {"up_to": last, "keep_days": keep_days}, tail)
                for path in old:  # The oldest first: a crash leaves a chain that only begins earlier.
                    path.unlink()
                safefile.sync_folder(self._folder)
                return first_kept
        except OSError as error:
            raise GatewayError(f"old audit records cannot be removed ({error.strerror})") from error

    def head(self) -> bytes:
        """The signed head, to be kept elsewhere. Raises `GatewayError` when there is none, `VerificationError` when
        this machine did not sign it."""
        try:
            line = safefile.read(self._head_file)
        except FileNotFoundError:
            raise GatewayError("there is no audit log yet") from None
        except ConfigError as error:
            raise VerificationError(error.message, remedy=error.remedy) from None
        self._signer.read(line)
        return line

    def public_key(self) -> str:
        """What the head is signed with. Raises `VerificationError` when there is none."""
        return self._signer.public_key()

    def records(self) -> Iterator[dict[str, Any]]:
        """All records, oldest first, as they stand: unverified. A line that is no record is left out.

        Raises `GatewayError` when the log cannot be read.
        """
        return (record for record in self._parsed() if record is not None)

    def contents(self) -> Contents:
        """All records, and what a reader must know before taking them for the whole log: `verify` says more.

        Raises `GatewayError` when the log cannot be read.
        """
        try:
            kept = self._kept_head()  # Before the lines: what is appended meanwhile is no damage.
        except VerificationError as error:
            return Contents(records=list(self.records()), damage=error.message.removesuffix(", so nothing is sent"))
        parsed = list(self._parsed())
        records = [record for record in parsed if record is not None]
        return Contents(records=records, damage=_damage(records, len(parsed) - len(records), kept))

    def _parsed(self) -> Iterator[dict[str, Any] | None]:
        """Each line's record; None for one that holds none. What a crash cut short at the very end is left out."""
        try:
            for _, _, line in self._lines():
                try:
                    value = json.loads(line)
                    yield {"hash": value["hash"], **value["record"], "seq": int(value["record"]["seq"])}
                except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
                    if line.endswith(b"\n"):
                        yield None
        except OSError as error:
            raise _unreadable(error) from error

    def verify(self, against: bytes | None = None) -> Verdict:
        """Check every record against its hash, the chain, the head and the checkpoints; heals a torn tail first.
        `against` is a signed head of earlier that was kept elsewhere.

        Raises `GatewayError` when the log cannot be read, `VerificationError` when `against` was not signed here.
        """
        elsewhere = None if against is None else self._elsewhere(against)
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
                return dataclasses.replace(self._walk(elsewhere), healed_bytes=healed)
        except OSError as error:
            raise _unreadable(error) from error

    def _elsewhere(self, line: bytes) -> Head:
        self._signer.public_key()  # Without it no head can be judged, and its own error says so.
        try:
            return self._signer.read(line)
        except VerificationError:
            raise VerificationError(
                "what the log is to be checked against is no head that this machine signed",
                remedy="give the file with what `pointsman audit head` printed",
            ) from None

    def _walk(self, elsewhere: Head | None) -> Verdict:
        try:
            kept = self._kept_head()
        except VerificationError:
            return Verdict(records=0, bad_seq=1, file=self._head_file.name, why="is damaged, or its key is gone")
        try:
            checkpoints = {point.seq: point.hash for point in self._checkpoints()}
        except VerificationError:
            return Verdict(records=0, bad_seq=1, file=self._checkpoints_file.name, why="is damaged")
        marks = checkpoints | ({elsewhere.seq: elsewhere.hash} if elsewhere is not None else {})
        before = next((int(path.stem) - 1 for path in self._segments()), 0)
        begun = newest = Head(before, checkpoints.get(before, _GENESIS) if before else _GENESIS)
        at_kept, pruned = newest.hash, 0
        for path, number, line in self._lines():
            if why := _unsound(line, newest):
                return Verdict(
                    records=newest.seq - begun.seq, bad_seq=newest.seq + 1, file=path.name, line=number, why=why
                )
            newest = Head(newest.seq + 1, line[len(_OPENING) : len(_OPENING) + 64].decode())
            if marks.get(newest.seq, newest.hash) != newest.hash:
                return Verdict(
                    records=newest.seq - begun.seq, bad_seq=newest.seq, file=path.name, line=number,
                    why="differs from a signed checkpoint",
                )  # fmt: skip
            if kept is not None and newest.seq == kept.seq:
                at_kept = newest.hash
            if b'"kind":"pruned"' in line:
                pruned = max(pruned, _up_to(line))
        if pruned < begun.seq:
            return Verdict(
                records=newest.seq - begun.seq, bad_seq=pruned + 1, why="is missing: nothing says it was removed"
            )
        if elsewhere is not None and elsewhere.seq > newest.seq:
            why = f"is missing: the head that was kept elsewhere is record {elsewhere.seq}"
            return Verdict(records=newest.seq - begun.seq, bad_seq=newest.seq + 1, why=why)
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
            records=newest.seq - begun.seq,
            bad_seq=bad if why else None,
            file=self._head_file.name if why else "",
            why=why,
        )

    def _segments(self) -> list[Path]:
        return sorted(self._folder.glob("[0-9]*.jsonl"))

    def _lines(self) -> Iterator[tuple[Path, int, bytes]]:
        """Every line with its end, its file and its number there, oldest first."""
        for path in self._segments():
            with path.open("rb") as file:
                for number, line in enumerate(file, 1):
                    yield path, number, line

    def _sound_tail(self) -> _Tail:
        """The end of the log, healed. Raises `VerificationError` when it is not where the kept head says."""
        tail, kept = self._tail(), self._kept_head()
        if not _consistent(tail, kept):
            raise VerificationError(
                "the audit log was tampered with, so nothing is sent", remedy="pointsman audit verify"
            )
        if tail.head != (kept or Head(0, _GENESIS)):
            # A head that could not be written, as on a full disk, must not fall two behind.
            safefile.replace(self._head_file, self._signer.sign(tail.head))
        return self._heal(tail)

    def _last_day(self, path: Path) -> str:
        """The day of a whole segment's last record; "" when it is no record."""
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST))
            last = file.read().rstrip(b"\n").rpartition(b"\n")[2]
        try:
            return str(json.loads(last)["record"]["time"])[:10]
        except (ValueError, KeyError, TypeError, RecursionError):
            return ""

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
                head = Head(int(record["seq"]), str(value["hash"]))
                return _Tail(head, str(record["prev"]), str(record["time"])[:10], torn_file, torn)
            except (ValueError, KeyError, TypeError, RecursionError):
                raise VerificationError(
                    "the newest audit record is damaged, so nothing is sent", remedy="pointsman audit verify"
                ) from None
        return _Tail(Head(0, _GENESIS), _GENESIS, "", torn_file, torn)

    def _heal(self, tail: _Tail) -> _Tail:
        """Cut off what a crash left of an unfinished record, and record that. Returns the end of the log then."""
        if tail.torn_file is None:
            return tail
        with tail.torn_file.open("r+b") as file:
            file.truncate(file.seek(0, os.SEEK_END) - len(tail.torn))
            os.fsync(file.fileno())
        fields = {"healed_bytes": len(tail.torn), "healed_sha256": hashlib.sha256(tail.torn).hexdigest()}
        self._write("healed", fields, tail)
        return self._tail()

    def _kept_head(self) -> Head | None:
        try:
            return self._signer.read(safefile.read(self._head_file))
        except FileNotFoundError:
            return None
        except ConfigError:
            raise VerificationError(
                "the head of the audit log is damaged, so nothing is sent", remedy="pointsman audit verify"
            ) from None

    def _checkpoints(self) -> list[Head]:
        """Heads at the beginnings of segments. Raises `VerificationError` when one is not signed by this machine."""
        try:
            lines = safefile.read(self._checkpoints_file, largest=64 << 20).split(b"\n")
        except FileNotFoundError:
            return []
        except ConfigError as error:
            raise VerificationError(error.message) from error
        return [self._signer.read(line) for line in lines[:-1]]  # What a crash cut short has no end of line.

    def _write(self, kind: str, fields: Mapping[str, Any], tail: _Tail) -> int:
        head, now = tail.head, self._now()
        seq, time = head.seq + 1, now.isoformat(timespec="milliseconds")
        record = rfc8785.dumps({**fields, "seq": seq, "prev": head.hash, "time": time, "kind": kind})
        digest = hashlib.sha256(record).hexdigest()
        line = _OPENING + digest.encode() + _MIDDLE + record + _CLOSING + b"\n"
        if len(line) > _LONGEST:
            raise GatewayError("the audit record would be too large, so nothing is sent")
        path = self._segment_for(len(line), seq, same_day=tail.day == time[:10])
        signed = self._signer.sign(Head(seq, digest))
        fresh = not path.exists()
        if fresh and head.seq:
            _cut_torn(self._checkpoints_file)
            _append(self._checkpoints_file, self._signer.sign(head) + b"\n")
        _append(path, line)
        if fresh:
            safefile.sync_folder(self._folder)
        safefile.replace(self._head_file, signed)
        return seq

    def _segment_for(self, size: int, seq: int, *, same_day: bool) -> Path:
        """The file that the next line goes to; segments are named by their first record's number."""
        segments = self._segments()
        if segments:
            filled = segments[-1].stat().st_size
            if filled == 0 or (same_day and filled + size <= self._segment_bytes):
                return segments[-1]
        return self._folder / f"{seq:012d}.jsonl"


def _cut_torn(path: Path) -> None:
    """Take away a last line without an end, which what is appended would become a part of."""
    flags = os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC
    with contextlib.suppress(FileNotFoundError), os.fdopen(os.open(path, flags), "r+b") as file:
        rest = file.read().rpartition(b"\n")[2]
        if rest:
            file.truncate(file.tell() - len(rest))
            os.fsync(file.fileno())


def _append(path: Path, data: bytes) -> None:
    """Write to the end of a file, 0600, and wait until it is on disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        written = 0
        while written < len(data):
            written += os.write(descriptor, data[written:])
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _up_to(line: bytes) -> int:
    """The number of the last record that a `pruned` record speaks of; 0 for any other."""
    record = json.loads(line)["record"]
    return int(record["up_to"]) if record.get("kind") == "pruned" else 0


def _consistent(tail: _Tail, kept: Head | None) -> bool:
    """Whether the log ends where the head kept outside says, or, after a crash between the two writes, one later."""
    kept = kept or Head(0, _GENESIS)
    return tail.head == kept or (tail.head.seq == kept.seq + 1 and tail.prev == kept.hash)


def _damage(records: list[dict[str, Any]], skipped: int, kept: Head | None) -> str:
    """What shows that lines were cut, removed or written over; "" for nothing."""
    if skipped:
        lines = "a line of the audit log is no record", f"{skipped} lines of the audit log are no records"
        return lines[skipped > 1]
    numbers = [record["seq"] for record in records]
    pruned = [record.get("up_to") for record in records if record.get("kind") == "pruned"]
    first, newest = (numbers[0], numbers[-1]) if numbers else (1, 0)
    if kept is not None and kept.seq > newest:
        return f"the audit log ends at record {newest}, its head is record {kept.seq}"
    if kept is None and newest > 1:
        return "the head that is kept outside the audit log is missing"
    if (first > 1 and first - 1 not in pruned) or any(after != before + 1 for before, after in pairwise(numbers)):
        return "records are missing from the audit log"
    return ""


def _unreadable(error: OSError) -> GatewayError:
    return GatewayError(f"the audit log cannot be read ({error.strerror or type(error).__name__})")


def _unsound(line: bytes, before: Head) -> str:
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
