"""Changes in a real VS Code workbench: code actions of the real server, and one change of several files."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from .test_vscode_workbench import bench, run_session, vsix, went_well
from .two_files_server import NEW, OLD
from .workbench_install import Workbench

pytestmark = pytest.mark.model


def test_a_code_action_is_previewed_applied_and_undone(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path
) -> None:
    seen = went_well(run_session(tmp_path, models_dir, bench, vsix, ["ready", "walkthrough", "actions"]))["actions"]
    assert any("Pointsman: Add a docstring" in title for title in seen["titles"])
    assert "smollm2-135m" in seen["said"], "the annotation says which model made it"
    assert seen["untouched"], "the file changed before the user agreed"
    assert '"""' in seen["applied"].split("def subtract")[1]
    assert seen["undone"] == seen["before"]
    (log,) = (tmp_path / "profile").rglob("Pointsman.log")
    assert "answers as @pointsman in the chat of VS Code" in log.read_text(), "the participant is not registered"


def test_a_change_of_two_files_is_declined_taken_by_file_and_undone_at_once(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path
) -> None:
    program = tmp_path / "pointsman"
    script = Path(__file__).with_name("two_files_server.py")
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(str(script))} "$@"\n')
    program.chmod(0o755)
    machine = {"pointsman.server.path": str(program)}
    seen = went_well(
        run_session(tmp_path, models_dir, bench, vsix, ["ready", "walkthrough", "files"], machine=machine)
    )["files"]
    first, second = seen["before"]
    assert "cart.py" in seen["preview"] and "inventory.py" in seen["preview"]
    assert OLD in first and OLD in second
    assert seen["declined"] == [first, second]
    assert seen["some"] == [first, second.replace(OLD, NEW)]
    assert seen["back"] == [first, second]
    assert seen["all"] == [first.replace(OLD, NEW), second.replace(OLD, NEW)]
    assert seen["undone"] == [first, second]
