"""The audit log: whole after a crash, and every change of it is named."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pointsman.errors import GatewayError, VerificationError
from pointsman.gateway.audit import AuditLog
from pointsman.gateway.signing import Head, Signer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "audit"


def filled(folder: Path, count: int = 9, segment_bytes: int = 1200) -> AuditLog:
    log = AuditLog(folder, segment_bytes=segment_bytes)
    for number in range(count):
        assert log.append("intent", {"id": f"r{number}", "usd": 0.25, "files": ["é"]}) == number + 1
    return log


def lines(folder: Path) -> list[tuple[Path, int, bytes]]:
    return [
        (path, number, line)
        for path in sorted(folder.glob("*.jsonl"))
        for number, line in enumerate(path.read_bytes().splitlines(keepends=True))
    ]


def change(folder: Path, seq: int, new: Callable[[bytes], bytes]) -> None:
    path, number, line = lines(folder)[seq - 1]
    content = path.read_bytes().splitlines(keepends=True)
    content[number] = new(line)
    path.write_bytes(b"".join(content))


def test_records_come_back_in_order_over_several_files(folder: Path) -> None:
    log = filled(folder)
    assert len(list(folder.glob("*.jsonl"))) > 2
    assert [(r["seq"], r["id"], r["kind"]) for r in log.records()] == [(n + 1, f"r{n}", "intent") for n in range(9)]
    verdict = log.verify()
    assert verdict.sound and verdict.records == 9


def test_an_empty_log_is_sound(folder: Path) -> None:
    verdict = AuditLog(folder).verify()
    assert verdict.sound and verdict.records == 0


def test_files_are_private(folder: Path) -> None:
    filled(folder)
    assert folder.stat().st_mode & 0o777 == 0o700
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in (*folder.iterdir(), folder.parent / "audit-head.json"))


@pytest.mark.parametrize("seq", [1, 2, 5, 9])
def test_any_flipped_byte_is_named(folder: Path, seq: int) -> None:
    log = filled(folder)
    path, _, line = lines(folder)[seq - 1]
    whole = path.read_bytes()
    start = whole.index(line)
    for at in random.Random(seq).sample(range(len(line)), 40):
        flipped = bytearray(whole)
        flipped[start + at] ^= 1
        path.write_bytes(flipped)
        verdict = log.verify()
        assert verdict.bad_seq == seq, f"byte {at}: {verdict}"
        assert path.read_bytes() == flipped, "verifying must not mend what was tampered with"
    path.write_bytes(whole)
    assert log.verify().sound


@pytest.mark.parametrize("seq", [1, 4, 8])
def test_a_removed_record_is_named(folder: Path, seq: int) -> None:
    log = filled(folder)
    change(folder, seq, lambda line: b"")
    verdict = log.verify()
    assert (verdict.bad_seq, "missing" in verdict.why) == (seq, True)


@pytest.mark.parametrize("kept", [0, 1, 8])
def test_a_cut_end_is_named_and_nothing_more_is_written(folder: Path, kept: int) -> None:
    log = filled(folder)
    for seq in range(9, kept, -1):
        change(folder, seq, lambda line: b"")
    verdict = log.verify()
    assert verdict.bad_seq == kept + 1
    with pytest.raises(VerificationError):
        log.append("intent", {})


def test_a_removed_folder_is_noticed(folder: Path) -> None:
    log = filled(folder)
    folder.rename(folder.with_name("gone"))
    assert log.verify().bad_seq == 1
    with pytest.raises(VerificationError):
        log.append("intent", {})


@pytest.mark.parametrize("cut", [1, 2, 40, 150])
def test_an_acknowledged_record_cut_short_is_no_crash(folder: Path, cut: int) -> None:
    log = filled(folder)
    change(folder, 9, lambda line: line[:-cut])
    with pytest.raises(VerificationError):
        log.append("intent", {})
    assert log.verify().bad_seq == 9


def test_reordered_and_repeated_records_are_named(folder: Path) -> None:
    log = filled(folder, segment_bytes=1 << 20)
    (path,) = folder.glob("*.jsonl")
    original = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*original[:3], original[4], original[3], *original[5:]]))
    assert log.verify().bad_seq == 4
    path.write_bytes(b"".join([*original[:3], original[2], *original[3:]]))
    assert log.verify().bad_seq == 4


def test_a_record_rewritten_with_its_hash_breaks_the_chain(folder: Path) -> None:
    log = filled(folder)
    other = filled(folder.parent / "elsewhere" / "audit")
    assert other.verify().sound
    foreign = lines(folder.parent / "elsewhere" / "audit")[4][2]
    change(folder, 5, lambda line: foreign)
    assert log.verify().bad_seq == 5


def test_a_rewritten_tail_differs_from_the_head(folder: Path) -> None:
    log = filled(folder, 3)
    change(folder, 3, lambda line: b"")
    head = (folder.parent / "audit-head.json").read_bytes()
    value = json.loads(lines(folder)[1][2])
    signed = Signer(folder.parent / "audit-key").sign(Head(2, value["hash"]))  # by whoever has the key
    (folder.parent / "audit-head.json").write_bytes(signed)
    log.append("intent", {"id": "forged"})
    (folder.parent / "audit-head.json").write_bytes(head)
    assert log.verify().bad_seq == 3
    with pytest.raises(VerificationError):
        log.append("intent", {})


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"seq": "x", "hash": 1}', b"[1]"])
def test_without_its_head_the_log_is_not_trusted(folder: Path, content: bytes | None) -> None:
    log = filled(folder, 3)
    head = folder.parent / "audit-head.json"
    if content is None:
        head.unlink()
    else:
        head.write_bytes(content)
    assert not log.verify().sound
    with pytest.raises(VerificationError):
        log.append("intent", {})


@pytest.mark.parametrize("torn", [b"{", b'{"hash":"00', b'{"hash":"' + b"0" * 64 + b'","record":{"seq":10'])
def test_a_torn_tail_is_healed_and_recorded(folder: Path, torn: bytes) -> None:
    log = filled(folder)
    with sorted(folder.glob("*.jsonl"))[-1].open("ab") as file:
        file.write(torn)
    verdict = log.verify()
    assert (verdict.sound, verdict.records, verdict.healed_bytes) == (True, 10, len(torn))
    *_, last = log.records()
    assert (last["kind"], last["healed_bytes"]) == ("healed", len(torn))
    log.append("intent", {"id": "next"})
    assert log.verify().sound


def test_a_torn_first_record_in_a_fresh_file(folder: Path) -> None:
    log = filled(folder, 4, segment_bytes=1)
    (folder / "000000000005.jsonl").write_bytes(b'{"hash":')
    assert log.append("intent", {"id": "x"}) == 6
    assert [r["kind"] for r in log.records()][-2:] == ["healed", "intent"]
    assert log.verify().sound


def test_a_crash_between_record_and_head(folder: Path) -> None:
    log = filled(folder, 3)
    head = (folder.parent / "audit-head.json").read_bytes()
    log.append("intent", {"id": "r3"})
    (folder.parent / "audit-head.json").write_bytes(head)
    assert log.verify().sound
    assert log.append("intent", {"id": "r4"}) == 5
    assert log.verify().sound


class Days:
    """A clock that the test moves on."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


def over_days(folder: Path, count: int = 6) -> tuple[AuditLog, Days]:
    """Two records a day."""
    days = Days()
    log = AuditLog(folder, now=days)
    for day in range(count):
        for number in range(2):
            log.append("intent", {"id": f"d{day}n{number}"})
        path = sorted(folder.glob("*.jsonl"))[-1]
        os.utime(path, (days.now.timestamp(),) * 2)
        days.now += timedelta(days=1)
    return log, days


def test_each_day_has_a_file_and_a_signed_checkpoint(folder: Path) -> None:
    log, _ = over_days(folder)
    assert [path.stem for path in sorted(folder.glob("*.jsonl"))] == [f"{1 + 2 * day:012d}" for day in range(6)]
    assert len((folder.parent / "audit-checkpoints.jsonl").read_bytes().splitlines()) == 5
    assert log.verify().sound


def test_old_days_leave_by_policy_and_the_chain_holds(folder: Path) -> None:
    log, days = over_days(folder)
    assert log.prune(30) is None
    assert log.prune(3) == days.now.date() - timedelta(days=3)
    verdict = log.verify()
    assert verdict.sound and next(r["id"] for r in log.records() if "id" in r) == "d3n0"
    pruned = [r for r in log.records() if r["kind"] == "pruned"]
    assert [(r["up_to"], r["keep_days"]) for r in pruned] == [(6, 3)]
    log.append("intent", {"id": "later"})
    assert log.verify().sound and log.prune(3) is None


def test_days_that_somebody_else_removed_are_missed(folder: Path) -> None:
    log, _ = over_days(folder)
    sorted(folder.glob("*.jsonl"))[0].unlink()
    verdict = log.verify()
    assert (verdict.bad_seq, "missing" in verdict.why) == (1, True)
    log.prune(3)
    sorted(folder.glob("*.jsonl"))[0].unlink()
    assert log.verify().bad_seq == 7


@pytest.mark.parametrize("name", ["audit-checkpoints.jsonl", "audit-head.json"])
def test_a_flipped_byte_beside_the_log_is_noticed(folder: Path, name: str) -> None:
    log, _ = over_days(folder)
    path = folder.parent / name
    whole = path.read_bytes()
    key_free = [at for at in range(0, len(whole) - 1, 7) if b"public_key" not in whole[max(0, at - 80) : at + 12]]
    for at in key_free:
        flipped = bytearray(whole)
        flipped[at] ^= 1
        path.write_bytes(flipped)
        assert not AuditLog(folder).verify().sound, at
    path.write_bytes(whole)
    assert log.verify().sound


def test_a_lost_or_another_key_stops_the_log(folder: Path) -> None:
    filled(folder, 2)
    key = folder.parent / "audit-key"
    key.write_bytes(os.urandom(32))
    assert not AuditLog(folder).verify().sound
    key.unlink()
    assert not AuditLog(folder).verify().sound
    with pytest.raises(VerificationError, match="key"):
        AuditLog(folder).append("intent", {})


def test_a_head_that_was_kept_elsewhere_shows_a_rewritten_log(folder: Path, tmp_path: Path) -> None:
    log = filled(folder, 4)
    elsewhere = log.head()
    log.append("intent", {"id": "r4"})
    assert log.verify(elsewhere).sound
    for path in (*folder.glob("*.jsonl"), folder.parent / "audit-head.json", folder.parent / "audit-checkpoints.jsonl"):
        path.unlink(missing_ok=True)
    for number in range(5):  # By somebody who has the key: sound in itself.
        log.append("intent", {"id": f"forged{number}"})
    assert log.verify().sound
    assert log.verify(elsewhere).bad_seq == 4
    with pytest.raises(VerificationError):
        log.verify(b"{}")


WRITER = """
import sys
from pathlib import Path
from pointsman.gateway.audit import AuditLog
log = AuditLog(Path(sys.argv[1]), segment_bytes=5000)
while True:
    seq = log.append("intent", {"id": "x" * 300})
    sys.stdout.write(f"{seq}\\n")
    sys.stdout.flush()
"""


def test_killed_while_writing_no_acknowledged_record_is_lost(folder: Path) -> None:
    rng = random.Random(7)
    for _ in range(int(os.environ.get("POINTSMAN_TEST_KILLS", "6"))):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder)], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        acknowledged = 0
        for _ in range(rng.randrange(3, 30)):
            acknowledged = int(writer.stdout.readline())
        os.kill(writer.pid, signal.SIGKILL)
        rest = writer.stdout.read().split(b"\n")[:-1]
        writer.wait()
        writer.stdout.close()
        acknowledged = int(rest[-1]) if rest else acknowledged
        verdict = AuditLog(folder).verify()
        assert verdict.sound, verdict
        assert verdict.records >= acknowledged > 0


def write_some(folder: Path) -> None:
    log = AuditLog(folder, segment_bytes=3000)
    for number in range(25):
        log.append("intent", {"id": f"{os.getpid()}-{number}"})


def test_several_processes_make_one_chain(folder: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as pool:
        pool.map(write_some, [folder] * 3)
    verdict = AuditLog(folder).verify()
    assert (verdict.sound, verdict.records) == (True, 75)


def test_a_log_that_is_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "target").write_bytes(b"")
    (folder / "000000000001.jsonl").symlink_to(tmp_path / "target")
    with pytest.raises(GatewayError):
        AuditLog(folder).append("intent", {})
    assert (tmp_path / "target").read_bytes() == b""


def test_a_full_disk_closes_the_log_for_as_long_as_it_is_full(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = filled(folder)

    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:  # the line finds room in its block, the new head does not
        patched.setattr("pointsman.gateway.audit.safefile.replace", full)
        for kind in ("intent", "refused"):
            with pytest.raises((OSError, GatewayError)):
                log.append(kind, {"id": "late"})
    assert log.append("intent", {"id": "later"}) == 11
    assert log.verify().sound
    change(folder, 10, lambda line: line.replace(b"late", b"lane"))
    assert log.verify().bad_seq == 10


def test_a_torn_checkpoint_is_no_part_of_the_next(folder: Path) -> None:
    log = filled(folder)
    checkpoints = folder.parent / "audit-checkpoints.jsonl"
    whole = checkpoints.read_bytes()
    checkpoints.write_bytes(whole + b'{"head": {"seq"')
    for number in range(9):
        log.append("intent", {"id": f"s{number}", "usd": 0.25, "files": ["é"]})
    assert log.verify().sound and checkpoints.read_bytes().startswith(whole)
    assert len(checkpoints.read_bytes().splitlines()) > len(whole.splitlines())
