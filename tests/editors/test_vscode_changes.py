"""Changes in a real VS Code workbench: code actions of the real server, and one change of several files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer

from tests.e2e.conftest import Home

from .closed_author import Author
from .test_vscode_workbench import bench, run_session, vsix, went_well
from .workbench_install import Workbench

pytestmark = pytest.mark.model

OLD, NEW = "reserve(", "take_out("
PLACE = "tests/test_cart.py"
TESTS = "from shop.cart import apply_discount\n\n\ndef test_half():\n    assert apply_discount(10, 50) == 5\n"


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


def _granted(author: Author, *, outbound: str = "never") -> Callable[[Home, Path], None]:
    def prepare(home: Home, folder: Path) -> None:
        author.grant(home, outbound=outbound)
        home.run("policy", "trust", folder)

    return prepare


def test_a_change_of_two_files_is_declined_taken_by_file_and_undone_at_once(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path, httpserver: HTTPServer
) -> None:
    author = Author(httpserver, lambda code: code.replace(OLD, NEW))
    steps = ["ready", "walkthrough", "files", "picked"]
    session = went_well(run_session(tmp_path, models_dir, bench, vsix, steps, prepare=_granted(author)))
    seen = session["files"]
    first, second = seen["before"]
    assert "cart.py" in seen["preview"] and "inventory.py" in seen["preview"]
    assert OLD in first and OLD in second
    assert seen["declined"] == [first, second]
    assert seen["some"] == [first, second.replace(OLD, NEW)]
    assert seen["back"] == [first, second]
    assert seen["all"] == [first.replace(OLD, NEW), second.replace(OLD, NEW)]
    assert seen["undone"] == [first, second]
    assert len(author.bodies) == 4
    assert all(name in " ".join(session["picked"]["offered"]) for name in ("cart.py", "inventory.py"))
    assert "cart.py" in session["picked"]["preview"] and "inventory.py" in session["picked"]["preview"]


def test_tests_are_written_into_a_new_file_through_the_preview(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path, httpserver: HTTPServer
) -> None:
    author = Author(httpserver, lambda code: code, made=TESTS)
    steps = ["ready", "walkthrough", "asked", "tests"]
    session = run_session(tmp_path, models_dir, bench, vsix, steps, prepare=_granted(author), made=PLACE)
    asked = went_well(session)["asked"]
    assert Path(PLACE).name in asked["preview"] and "declined" in asked["answer"]
    assert asked["after"] == asked["before"] and not asked["there"]
    told = [json.loads(body)["messages"][1]["content"] for body in author.bodies]
    assert all("write tests for" in words for words in told) and "half a cent" in told[0]
    seen = session.seen["tests"]
    assert Path(PLACE).name in seen["preview"] and not seen["there"], "the file was made before the user agreed"
    assert seen["made"] == TESTS
    assert seen["after"] == seen["before"]


def test_the_body_of_a_code_action_is_shown_first_where_policy_wants_that(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path, httpserver: HTTPServer
) -> None:
    author = Author(httpserver, lambda code: code.replace("percent):\n", "percent):\n    # seen\n"))
    steps = ["ready", "walkthrough", "reviewed"]
    session = run_session(tmp_path, models_dir, bench, vsix, steps, prepare=_granted(author, outbound="always"))
    seen = went_well(session)["reviewed"]
    assert "vendor" in seen["asked"] and "big-1" in seen["asked"]
    assert not seen["problems"], "a refused resolve is no error to the user"
    assert seen["left"] == 0, "the body stays open after the answer"
    assert len(author.bodies) == 1, "what was declined was sent"
    assert seen["untouched"], "the file changed before the user agreed"
    assert seen["applied"] == seen["before"].replace("percent):\n", "percent):\n    # seen\n")
