"""The record of what left and what was refused: append-only, chained by hash, on disk before the first byte leaves.

JSON Lines (`chain`) in segments under `data/audit` (`segments`). The newest head is kept outside the folder as well,
signed (`heads`), so that lines cut from the end are missed; so is the one before each segment, from which the chain
goes on where older segments were removed by policy. Holds hashes and sizes, never text.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from pointsman import safefile
from pointsman.errors import GatewayError, VerificationError
from pointsman.gateway.chain import NO_RECORD, START, line_of, record_in
from pointsman.gateway.heads import Heads
from pointsman.gateway.segments import LONGEST, Segments, Tail, append_durably
from pointsman.gateway.signing import Head
from pointsman.gateway.verify import Verdict, damage, walk

NOTHING_SENT = ", so nothing is sent"
"""What the parts of a gateway say of a failure, for most of them act before anything is. Not for who only reads, and
not once a request has left."""
_SEGMENT_BYTES = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """What stands in the log, unverified."""

    records: list[dict[str, Any]]
    """Oldest first."""
    damage: str
    """What is missing or no record, as far as that shows without checking hashes; "" for nothing."""


class AuditLog:
    """One user's log. Safe to append to from several processes: a lock file lets one in at a time."""

    def __init__(
        self,
        folder: Path,
        *,
        segment_bytes: int = _SEGMENT_BYTES,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._lock = folder / "lock"
        self._segments = Segments(folder, segment_bytes)
        self._heads = Heads(folder.parent)
        self._now = now

    def append(self, kind: str, fields: Mapping[str, Any]) -> int:
        """Write one record and wait until it is on disk; returns its number.

        Raises `GatewayError` when it cannot be written and `VerificationError` when the log was tampered with: in both
        cases nothing may be sent.
        """
        try:
            with safefile.locked(self._lock):
                return self._write(kind, fields, self._sound_tail())
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise GatewayError(f"the audit record cannot be written ({reason}), so nothing is sent") from error

    def prune(self, keep_days: int) -> date | None:
        """Remove whole segments whose newest record is older than that, and record it; returns the first day that
        stays, None when nothing was removed. Raises as `append` does."""
        first_kept = self._now().date() - timedelta(days=keep_days)
        try:
            segments = self._segments.paths()
            if len(segments) < 2 or datetime.fromtimestamp(segments[0].stat().st_mtime, UTC).date() >= first_kept:
                return None
            with safefile.locked(self._lock):
                tail = self._sound_tail()
                old: list[Path] = []
                for path in self._segments.paths()[:-1]:
                    if self._segments.last_day(path) >= first_kept.isoformat():
                        break
                    old.append(path)
                if not old:
                    return None
                last = int(self._segments.paths()[len(old)].stem) - 1
                self._write("pruned", {"up_to": last, "keep_days": keep_days}, tail)
                self._segments.remove(old)
                return first_kept
        except OSError as error:
            raise GatewayError(f"old audit records cannot be removed ({error.strerror})") from error

    def head(self) -> bytes:
        """The signed head, to be kept elsewhere. Raises `GatewayError` when there is none, `VerificationError` when
        this machine did not sign it."""
        return self._heads.line()

    def public_key(self) -> str:
        """What the head is signed with. Raises `VerificationError` when there is none."""
        return self._heads.signer.public_key()

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
            kept = self._heads.kept()  # Before the lines: what is appended meanwhile is no damage.
        except VerificationError as error:
            return Contents(records=list(self.records()), damage=error.message.removesuffix(NOTHING_SENT))
        parsed = list(self._parsed())
        records = [record for record in parsed if record is not None]
        return Contents(records=records, damage=damage(records, len(parsed) - len(records), kept))

    def verify(self, against: bytes | None = None) -> Verdict:
        """Check every record against its hash, the chain, the head and the checkpoints; heals a torn tail first.
        `against` is a signed head of earlier that was kept elsewhere.

        Raises `GatewayError` when the log cannot be read, `VerificationError` when `against` was not signed here.
        """
        elsewhere = None if against is None else self._heads.from_elsewhere(against)
        try:
            with safefile.locked(self._lock):
                healed = 0
                try:
                    kept, tail = self._heads.kept(), self._segments.tail()
                    if _consistent(tail, kept):
                        self._heal(tail)
                        healed = len(tail.torn)
                except VerificationError:
                    pass  # The walk below finds it and says where.
                return dataclasses.replace(walk(self._segments, self._heads, elsewhere), healed_bytes=healed)
        except OSError as error:
            raise _unreadable(error) from error

    def _parsed(self) -> Iterator[dict[str, Any] | None]:
        """Each line's record; None for one that holds none. What a crash cut short at the very end is left out."""
        try:
            for _, _, line in self._segments.lines():
                try:
                    yield record_in(line)
                except NO_RECORD:
                    if line.endswith(b"\n"):
                        yield None
        except OSError as error:
            raise _unreadable(error) from error

    def _sound_tail(self) -> Tail:
        """The end of the log, healed. Raises `VerificationError` when it is not where the kept head says."""
        tail, kept = self._segments.tail(), self._heads.kept()
        if not _consistent(tail, kept):
            raise VerificationError(
                "the audit log was tampered with, so nothing is sent", remedy="pointsman audit verify"
            )
        if tail.head != (kept or START):
            # A head that could not be written, as on a full disk, must not fall two behind.
            self._heads.keep(self._heads.signer.sign(tail.head))
        return self._heal(tail)

    def _heal(self, tail: Tail) -> Tail:
        """Cut off what a crash left of an unfinished record, and record that. Returns the end of the log then."""
        if tail.torn_file is None:
            return tail
        self._segments.cut(tail)
        fields = {"healed_bytes": len(tail.torn), "healed_sha256": hashlib.sha256(tail.torn).hexdigest()}
        self._write("healed", fields, tail)
        return self._segments.tail()

    def _write(self, kind: str, fields: Mapping[str, Any], tail: Tail) -> int:
        time = self._now().isoformat(timespec="milliseconds")
        line, head = line_of(kind, fields, tail.head, time)
        if len(line) > LONGEST:
            raise GatewayError("the audit record would be too large, so nothing is sent")
        path = self._segments.next_path(len(line), head.seq, same_day=tail.day == time[:10])
        signed = self._heads.signer.sign(head)
        fresh = not path.exists()
        if fresh and tail.head.seq:
            self._heads.add_checkpoint(tail.head)
        append_durably(path, line)
        if fresh:
            safefile.sync_folder(path.parent)
        self._heads.keep(signed)
        return head.seq


def _consistent(tail: Tail, kept: Head | None) -> bool:
    """Whether the log ends where the head kept outside says, or, after a crash between the two writes, one later."""
    kept = kept or START
    return tail.head == kept or (tail.head.seq == kept.seq + 1 and tail.prev == kept.hash)


def _unreadable(error: OSError) -> GatewayError:
    return GatewayError(f"the audit log cannot be read ({error.strerror or type(error).__name__})")
