"""The extension in a real VS Code workbench, with the real server and the real default models.

One session goes through all states in order; each test looks at what its step saw. POINTSMAN_SCREENSHOTS=FOLDER keeps
the pictures (`make screenshots` puts them into docs/img).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.e2e.conftest import WORKSPACE, Home, make_home
from tests.e2e.test_closed import SECRET, Endpoint, write_policy

from .bring import Unavailable
from .vscode_build import NoNpm, built
from .workbench import drive, serve
from .workbench_install import Workbench, workbench

pytestmark = pytest.mark.model

_STEPS = [
    "ready",
    "walkthrough",
    "tab",
    "word",
    "menu",
    "pause",
    "ask",
    "mention",
    "declined",
    "refactor",
    "history",
    "killed",
]
_Seen = dict[str, Any]


@pytest.fixture(scope="module")
def bench() -> Workbench:
    try:
        return workbench()
    except Unavailable as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def vsix() -> Path:
    try:
        return built()
    except NoNpm as reason:
        pytest.skip(str(reason))


def _repository(at: Path) -> Path:
    """The small workspace, with a function begun at the end of three files."""
    shutil.copytree(WORKSPACE, at)
    for file, name in (("cart", "subtract"), ("inventory", "multiply"), ("__init__", "add")):
        with (at / "shop" / f"{file}.py").open("a") as end:
            end.write(f"\n\ndef {name}(a, b):\n    return")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *arguments], cwd=at, check=True)
    return at


def _home(at: Path, models: Path) -> Home:
    """The server is found on PATH, as after an installation; VS Code asks the login shell what that is."""
    home = make_home(at, models, SHELL="/bin/bash")
    (at / ".profile").write_text(f'export PATH="{Path(sys.executable).parent}:$PATH"\n')
    return home


@dataclass(frozen=True)
class Session:
    """A workbench that was driven through steps. `seen` has what each saw."""

    seen: _Seen
    home: Home
    folder: Path


def run_session(
    tmp: Path,
    models: Path,
    at: Workbench,
    vsix: Path | None,
    steps: list[str],
    *,
    trusting: bool = True,
    prepare: Callable[[Home, Path], None] = lambda home, folder: None,
    machine: dict[str, Any] | None = None,
    typing: dict[str, Any] | None = None,
    made: str = "",
    settings: dict[str, Any] | None = None,
    more: Sequence[Path] = (),
    opened: str = "",
    graphics: bool = False,
) -> Session:
    home, folder = _home(tmp / "home", models), _repository(tmp / "tiny")
    prepare(home, folder)
    shots = Path(os.environ.get("POINTSMAN_SCREENSHOTS") or tmp / "shots")
    try:
        options: dict[str, Any] = {"trusting": trusting, "machine": machine, "user": settings, "more": more}
        with serve(at, vsix, tmp / "profile", home.environment, **options) as site:
            plan: dict[str, Any] = {
                "url": site.url,
                "folder": str(folder / opened),
                "home": str(home.path),
                "steps": steps,
            }
            plan |= {"typing": typing, "made": made, "graphics": graphics}
            return Session(drive(at, "vscode_driver.mjs", plan, shots.resolve()), home, folder)
    finally:
        home.run("host", "stop", code=None)


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory, models_dir: Path, bench: Workbench, vsix: Path) -> _Seen:
    return run_session(tmp_path_factory.mktemp("vscode"), models_dir, bench, vsix, _STEPS).seen


@pytest.fixture
def seen(session: _Seen) -> Any:
    def of(step: str) -> _Seen:
        found: _Seen = session[step]
        assert "error" not in found, found["error"]
        return found

    return of


def test_it_starts_and_the_status_bar_says_so(seen: Any) -> None:
    assert "smollm2-135m" in seen("ready")["label"] or "eady" in seen("ready")["label"]


def test_the_walkthrough_opens_on_the_first_start(seen: Any) -> None:
    seen("walkthrough")


def test_ghost_text_is_shown_and_taken_by_tab(seen: Any) -> None:
    step = seen("tab")
    assert step["shown"].strip()
    assert f"return {step['shown'].strip()}" in step["text"]


def test_a_word_is_taken(seen: Any) -> None:
    step = seen("word")
    taken = step["text"].split("def multiply(a, b):\n    return ")[1].split("\n")[0].strip()
    shown = step["shown"].strip()
    assert taken and shown.startswith(taken) and len(taken) < len(shown), (taken, shown)


def test_the_menu_has_what_it_should(seen: Any) -> None:
    entries = " ".join(seen("menu")["entries"])
    for entry in ("here", "this language", "model", "Explain", "policy", "Check"):
        assert entry in entries


def test_a_language_is_paused(seen: Any) -> None:
    assert "paused for python" in seen("pause")["label"]


def test_a_question_is_answered_and_its_citation_opens(seen: Any) -> None:
    step = seen("ask")
    # The default model is shown by sentences that stand: none of them is taken back.
    assert step["drafted"].strip() in ("", "Working…") or step["drafted"].strip() in step["answer"]
    assert step["answer"].strip() and "this machine" in step["route"]
    path, _, lines = step["places"][0].rpartition(":")
    assert (WORKSPACE / path).exists()
    assert f"Ln {lines.split('-')[0]}," in step["at"]


def test_places_open_where_a_folder_within_a_repository_is_the_workspace(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path
) -> None:
    steps = ["ready", "walkthrough", "below"]
    seen = went_well(run_session(tmp_path, models_dir, bench, vsix, steps, opened="shop"))["below"]
    assert len(seen["places"]) == 2 and all(place.startswith("shop/cart.py:") for place in seen["places"])


def test_a_mention_completes(seen: Any) -> None:
    step = seen("mention")
    assert any("inventory.py" in offer for offer in step["offered"])
    assert any("Inventory" in offer and " in shop/inventory.py" in offer for offer in step["offered"])
    assert step["text"].startswith("what is @")


def test_the_conversation_is_there_after_a_reload(seen: Any) -> None:
    assert any("discount" in question for question in seen("history")["questions"])


def test_a_declined_refactor_changes_nothing(seen: Any) -> None:
    step = seen("declined")
    assert step["after"] == step["before"]


def test_a_refactor_is_previewed_applied_and_undone(seen: Any) -> None:
    step = seen("refactor")
    assert step["untouched"], "the file changed before the user agreed"
    assert '"""' in step["applied"].split("def subtract")[1]
    assert step["undone"] == step["before"]


def test_the_server_is_killed_and_comes_back(seen: Any) -> None:
    step = seen("killed")
    assert step["before"] and step["shown"].strip()
    assert not set(step["before"]) & set(step["after"])


def went_well(session: Session) -> _Seen:
    for step, found in session.seen.items():
        assert "error" not in found, f"{step}: {found['error']}"
    return session.seen


def test_a_workspace_that_is_not_trusted_gets_local_work_and_runs_nothing_of_its_own(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path
) -> None:
    def trap(home: Home, folder: Path) -> None:
        program = tmp_path / "trap.sh"
        program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'sprung'}\n")
        program.chmod(0o755)
        (folder / ".vscode").mkdir()
        (folder / ".vscode" / "settings.json").write_text(json.dumps({"pointsman.server.path": str(program)}))

    steps = ["ready", "restricted", "trusted", "again"]
    session = run_session(tmp_path, models_dir, bench, vsix, steps, trusting=False, prepare=trap)
    assert went_well(session)["restricted"]["shown"].strip()
    assert str(session.folder) in session.seen["again"]["asked"]
    assert not (tmp_path / "sprung").exists(), "a setting of the workspace was run"
    assert session.home.run("policy", "show", session.folder, "--json").json["trusted"] is True


def test_models_that_are_missing_are_offered_and_fetched(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path
) -> None:
    def without_models(home: Home, folder: Path) -> None:
        (home.path / "data" / "models").unlink()

    session = run_session(tmp_path, models_dir, bench, vsix, ["fetched"], prepare=without_models)
    seen = went_well(session)["fetched"]
    assert "smollm2-135m" in seen["asked"] and "code-minilm" in seen["asked"] and seen["shown"].strip()


def test_restricted_mode_is_local_whoever_trusted_the_repository(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path, httpserver: HTTPServer
) -> None:
    endpoint = Endpoint(httpserver)

    def grant(home: Home, folder: Path) -> None:
        cart = folder / "shop" / "cart.py"
        lines = cart.read_text().splitlines(keepends=True)
        cart.write_text("".join(line for line in lines if "Take percent off" not in line))  # to be documented again
        home.environment["VENDOR_KEY"] = "canary-key-not-real"
        write_policy(home, endpoint)
        home.run("policy", "trust", folder)

    asked: dict[str, Any] = {"machine": {"pointsman.refactor.target": "closed"}, "prepare": grant, "trusting": False}
    session = run_session(tmp_path, models_dir, bench, vsix, ["ready", "restricted", "kept"], **asked)
    assert all("on this machine" in route for route in went_well(session)["kept"]["routes"])
    assert endpoint.bodies == []


def test_what_leaves_is_shown_first_and_leaves_a_receipt(
    tmp_path: Path, models_dir: Path, bench: Workbench, vsix: Path, httpserver: HTTPServer
) -> None:
    endpoint = Endpoint(httpserver)

    def grant(home: Home, folder: Path) -> None:
        cart = folder / "shop" / "cart.py"
        secret = f'token = "{SECRET}"\n        raise ValueError("percent'
        cart.write_text(cart.read_text().replace('raise ValueError("percent', secret))
        home.environment["VENDOR_KEY"] = "canary-key-not-real"
        write_policy(home, endpoint, outbound="always")
        home.run("policy", "trust", folder)

    machine = {"pointsman.refactor.target": "closed"}
    session = run_session(
        tmp_path, models_dir, bench, vsix, ["ready", "unsent", "sent"], prepare=grant, machine=machine
    )
    seen = went_well(session)
    (body,) = endpoint.bodies  # the one that was approved; the first was not sent
    assert json.loads(seen["sent"]["shown"]) == json.loads(body)
    assert SECRET not in seen["sent"]["shown"] and "canary-key" not in seen["sent"]["shown"]
    assert "vendor" in seen["sent"]["receipt"] and "shop/cart.py" in seen["sent"]["receipt"]
    assert "share" in seen["sent"]["text"] and SECRET in seen["sent"]["text"]
