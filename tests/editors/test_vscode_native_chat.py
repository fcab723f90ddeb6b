"""`@pointsman` in the chat view of VS Code itself, with the real server and the real default models.

VS Code asks no participant before it knows a language model of its own, which is Copilot's for most. Here an extension
of the tests brings one that cannot answer, so what is shown is Pointsman's.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import WORKSPACE

from .test_vscode_workbench import bench, run_session, vsix, went_well
from .vscode_build import packed
from .workbench_install import Workbench

pytestmark = pytest.mark.model

_CHAT = {"chat.disableAIFeatures": False, "workbench.secondarySideBar.defaultVisibility": "visible"}


def test_a_question_in_the_chat_of_vs_code_is_answered_with_its_places(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path
) -> None:
    steps = ["ready", "walkthrough", "native"]
    more = [packed(Path(__file__).parent / "chat_model", tmp_path / "model.vsix")]
    session = run_session(tmp_path, models_dir, bench, vsix, steps, more=more, settings=_CHAT)
    seen = went_well(session)["native"]
    assert "smollm2-135m" in seen["answer"] and "silent model" not in seen["answer"]
    name, _, lines = seen["place"].strip().rpartition(":")
    assert any(WORKSPACE.rglob(name))
    assert f"Ln {lines.split('-')[1]}," in seen["at"] and "selected" in seen["at"], "its lines are not selected"
