"""A full disk: nothing half written stays, what was made is shown, and the error says why."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from pointsman.cli import refactor as command
from pointsman.cli.app import main
from pointsman.errors import ConfigError, PointsmanError
from pointsman.gateway import bodies
from pointsman.refactor import apply as applying
from pointsman.refactor.types import Checks, Refactoring
from pointsman.routed import RouteTaken
from tests.pipelines import snapshot


def _full(*_: object, **__: object) -> None:
    raise OSError(28, "No space left on device")


def test_no_empty_key_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", _full)
        with pytest.raises(ConfigError, match="No space left"):
            bodies.new_key(tmp_path / "key")
    assert list(tmp_path.iterdir()) == []
    bodies.new_key(tmp_path / "key")
    assert len(bodies.read_key(tmp_path / "key")) == 32


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repo"
    root.mkdir()
    (root / "a.py").write_text("a = 1\n")
    return root


def test_without_room_for_the_journal_nothing_is_changed(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pointsman.refactor.edits import file_edit

    edit = file_edit(snapshot("a = 1\n", root=repository, name="a.py"), "a = 2\n")
    assert edit is not None
    monkeypatch.setattr("pointsman.safefile.replace", _full)
    with pytest.raises(PointsmanError, match=r"No space left .*nothing was changed"):
        applying.apply([edit], repository, tmp_path / "journals")
    assert (repository / "a.py").read_text() == "a = 1\n"


def test_a_journal_that_stays_is_said(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pointsman.refactor.edits import file_edit

    edit = file_edit(snapshot("a = 1\n", root=repository, name="a.py"), "a = 2\n")
    assert edit is not None
    monkeypatch.setattr(Path, "unlink", lambda path, **_: _full() if path.suffix == ".json" else None)
    with pytest.raises(PointsmanError, match="brought to an end") as caught:
        applying.apply([edit], repository, tmp_path / "journals")
    assert "puts the old text back" in caught.value.remedy


def test_the_diff_is_shown_when_it_cannot_be_applied(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from pointsman.refactor.edits import file_edit

    edit = file_edit(snapshot("a = 1\n", root=repository, name="a.py"), "a = 2\n")
    assert edit is not None
    route = RouteTaken(target="local", model="tiny", reason="asked for", endpoint="", rule="target.local")

    async def made(*_: Any) -> Refactoring:
        checks = Checks(parses=True, in_scope=True)
        return Refactoring(route=route, request_id="r", edits=(edit,), diff="-a = 1\n+a = 2\n", checks=checks)

    monkeypatch.setenv("POINTSMAN_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(command, "_run", made)
    monkeypatch.setattr("pointsman.safefile.replace", _full)
    with pytest.raises(SystemExit) as stop:
        main(["refactor", str(repository / "a.py"), "say two", "--apply"])
    shown = capsys.readouterr()
    assert stop.value.code == 1 and "+a = 2\n" in shown.out
    assert "No space left" in shown.err and "internal" not in shown.err
