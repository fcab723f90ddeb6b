"""Whether the audit log is whole: every record against its hash, the chain, the kept head and the checkpoints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pointsman.errors import VerificationError
from pointsman.gateway.chain import START, next_head, pruned_up_to, unsound
from pointsman.gateway.heads import Heads
from pointsman.gateway.segments import Segments
from pointsman.gateway.signing import Head


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found. `bad_seq` is the first record that is wrong or missing."""

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


def walk(segments: Segments, heads: Heads, elsewhere: Head | None) -> Verdict:
    """Read the whole log; `elsewhere` is a head of earlier that was kept on another machine. Raises `OSError`."""
    try:
        kept = heads.kept()
    except VerificationError:
        return Verdict(records=0, bad_seq=1, file=heads.file.name, why="is damaged, or its key is gone")
    try:
        checkpoints = {point.seq: point.hash for point in heads.checkpoints()}
    except VerificationError:
        return Verdict(records=0, bad_seq=1, file=heads.checkpoints_file.name, why="is damaged")
    marks = checkpoints | ({elsewhere.seq: elsewhere.hash} if elsewhere is not None else {})
    before = next((int(path.stem) - 1 for path in segments.paths()), 0)
    begun = newest = Head(before, checkpoints.get(before, START.hash))
    at_kept, pruned = newest.hash, 0

    def verdict(bad_seq: int | None, why: str, file: str = "", line: int = 0) -> Verdict:
        return Verdict(records=newest.seq - begun.seq, bad_seq=bad_seq, file=file, line=line, why=why)

    for path, number, line in segments.lines():
        if why := unsound(line, newest):
            return verdict(newest.seq + 1, why, path.name, number)
        newest = next_head(line, newest)
        if marks.get(newest.seq, newest.hash) != newest.hash:
            return verdict(newest.seq, "differs from a signed checkpoint", path.name, number)
        if kept is not None and newest.seq == kept.seq:
            at_kept = newest.hash
        pruned = max(pruned, pruned_up_to(line))
    if pruned < begun.seq:
        return verdict(pruned + 1, "is missing: nothing says it was removed")
    if elsewhere is not None and elsewhere.seq > newest.seq:
        why = f"is missing: the head that was kept elsewhere is record {elsewhere.seq}"
        return verdict(newest.seq + 1, why)
    if differs := _differs(newest, kept, at_kept):
        return verdict(*differs, heads.file.name)
    return verdict(None, "")


def _differs(newest: Head, kept: Head | None, at_kept: str) -> tuple[int, str] | None:
    """The record that is not where the kept head says, and why; `at_kept` is the hash that stands at its number."""
    if kept is None:
        return (newest.seq, "the head that is kept outside the log is missing") if newest.seq else None
    if kept.seq > newest.seq:
        return newest.seq + 1, f"is missing: the log ends here, its head is record {kept.seq}"
    if kept.hash != at_kept:
        return kept.seq, "differs from the head that is kept outside the log"
    if kept.seq < newest.seq - 1:
        return kept.seq + 1, "is newer than the head that is kept outside the log"
    return None


def damage(records: Sequence[dict[str, Any]], skipped: int, kept: Head | None) -> str:
    """What shows without checking hashes that lines were cut, removed or written over; "" for nothing. `skipped` lines
    are no records."""
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
