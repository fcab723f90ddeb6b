"""`pointsman audit` of a log that was cut, written over or removed: it shows what there is, says so, and exits 1."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pointsman.cli.app import cli
from pointsman.cli.common import Cli
from pointsman.errors import ConfigError, GatewayError, VerificationError
from pointsman.gateway.audit import AuditLog


def run(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["audit", *map(str, arguments)], obj=Cli())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a log of ten records in several files."""
    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path))
    log = AuditLog(tmp_path / "data" / "audit", segment_bytes=1200)
    for number in range(10):
        log.append("intent", {"id": f"r{number}", "usd": 0.25})
    return tmp_path / "data" / "audit"


def _segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.jsonl"))


def _without_its_end(folder: Path) -> None:
    _segments(folder)[-1].unlink()


def _without_its_middle(folder: Path) -> None:
    _segments(folder)[1].unlink()


def _without_its_beginning(folder: Path) -> None:
    _segments(folder)[0].unlink()


def _written_over(folder: Path) -> None:
    segment = _segments(folder)[0]
    segment.write_bytes(b"garbage\n" + segment.read_bytes())


def _without_a_head(folder: Path) -> None:
    (folder.parent / "audit-head.json").unlink()


DAMAGE = {
    "ends at record": _without_its_end,
    "are missing": _without_its_middle,
    "records are missing": _without_its_beginning,
    "is no record": _written_over,
    "head that is kept outside": _without_a_head,
}


@pytest.mark.parametrize("said", DAMAGE)
def test_what_there_is_is_shown_and_the_damage_is_said(folder: Path, said: str) -> None:
    assert run("list").exception is None
    DAMAGE[said](folder)
    last = "r9" if said != "ends at record" else "r2"
    for command in ("list", "list --json", "export", "export --format=csv", "export --json", f"show {last}"):
        result = run(*command.split())
        assert isinstance(result.exception, VerificationError), command
        assert said in result.exception.message and result.exception.remedy == "pointsman audit verify"
        assert last in result.stdout


def test_a_removed_log_is_no_log_that_never_was(folder: Path) -> None:
    for segment in _segments(folder):
        segment.unlink()
    result = run("list")
    assert isinstance(result.exception, VerificationError) and "record 10" in result.exception.message
    assert "nothing" not in result.stderr
    assert isinstance(run("show", "r1").exception, VerificationError), "not: there is no such record"
    (folder.parent / "audit-head.json").unlink()
    assert "nothing was ever sent" in run("list").stderr


def test_records_removed_by_policy_are_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path))
    today = datetime.now(UTC)
    clock = [today]
    log = AuditLog(tmp_path / "data" / "audit", now=lambda: clock[0])
    for days in (0, 1, 8, 9):
        clock[0] = today + timedelta(days=days)
        log.append("intent", {"id": f"{days}"})
    assert log.prune(5) is not None
    assert run("list").exception is None and log.verify().sound
    _segments(tmp_path / "data" / "audit")[0].unlink()
    assert isinstance(run("list").exception, VerificationError)


def test_what_a_crash_cut_short_is_no_damage(folder: Path) -> None:
    with _segments(folder)[-1].open("ab") as file:
        file.write(b'{"hash":"')
    assert run("list").exception is None


def test_a_log_that_cannot_be_read_ends_in_words(folder: Path) -> None:
    segment = _segments(folder)[0]
    segment.unlink()
    segment.mkdir()
    for command in ("list", "export", "show r1", "verify"):
        assert isinstance(run(*command.split()).exception, GatewayError), command


@pytest.mark.parametrize("content", [b"\x1b]0;title\x07", b'{"seq":10}'])
def test_a_damaged_head_is_not_printed(folder: Path, content: bytes) -> None:
    head = run("head").stdout
    assert head.startswith('{"seq": 10')
    (folder.parent / "audit-head.json").write_bytes(content)
    result = run("head")
    assert isinstance(result.exception, VerificationError) and result.stdout == ""
    assert isinstance(run("list").exception, VerificationError)


def test_a_file_that_is_no_head_is_not_blamed_on_the_log(folder: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong"
    wrong.write_text("{}")
    result = run("verify", "--against", wrong)
    assert isinstance(result.exception, VerificationError) and "is to be checked against" in result.exception.message
    assert isinstance(run("verify", "--against", tmp_path).exception, ConfigError)
