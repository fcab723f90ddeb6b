"""`pointsman refactor` that comes to nothing: exit 1 with the reason in one line, and with `--json` the object too."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli import refactor as command
from pointsman.cli.app import main
from pointsman.refactor.types import UNTOUCHED, Refactoring
from pointsman.routed import Receipt, RouteTaken

RECEIPT = Receipt(
    record_id="r7",
    endpoint="openai",
    model="big",
    rule="closed",
    spans=("a.py:1-1",),
    redacted=(),
    input_tokens=10,
    output_tokens=2,
    usd=0.5,
    body_bytes=9,
    body_sha256="ab",
    attempts=1,
    template="refactor:1",
)


@pytest.fixture
def answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What is given to the next result, and the file that is asked about."""
    file = tmp_path / "a.py"
    file.write_text("a = 1\n")
    given: dict[str, Any] = {"note": "The local model gave\nthe code back unchanged."}
    route = RouteTaken(target="local", model="tiny", reason="asked for", endpoint="", rule="target.local")

    async def made(*_: Any) -> Refactoring:
        return Refactoring(route=route, request_id="r", edits=(), diff="", checks=UNTOUCHED, **given)

    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command, "_run", made)
    return given


def run(*options: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["refactor", "a.py", "say two", *options])
    return int(ended.value.code or 0)


@pytest.mark.parametrize(("options", "begins"), [((), "nothing changes: "), (("--apply",), "nothing to apply: ")])
def test_no_change_is_a_failure_that_says_why(
    answered: dict[str, Any], capsys: pytest.CaptureFixture[str], options: tuple[str, ...], begins: str
) -> None:
    assert run(*options) == 1
    shown = capsys.readouterr()
    assert shown.out == ""
    (line,) = shown.err.strip().splitlines()
    assert begins in line and line.endswith("The local model gave the code back unchanged")


@pytest.mark.parametrize("options", [("--json",), ("--json", "--apply")])
def test_json_holds_the_note(
    answered: dict[str, Any], capsys: pytest.CaptureFixture[str], options: tuple[str, ...]
) -> None:
    assert run(*options) == 1
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert (told["edits"], told["applied"], told["note"]) == ([], False, answered["note"])
    assert len(shown.err.strip().splitlines()) == 1


def test_what_left_for_nothing_is_shown_all_the_same(
    answered: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    answered["receipt"] = RECEIPT
    assert run("--apply") == 1
    assert "r7" in capsys.readouterr().err


def test_a_body_that_was_only_shown_is_no_failure(answered: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    answered["preview"] = "the prompt"
    assert run("--dry-run") == 0 and "the prompt" in capsys.readouterr().out
