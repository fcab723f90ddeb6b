"""What of the VS Code extension needs no editor: types, its own unit tests, size, settings' scopes, one version."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

import pointsman

from .vscode_build import EXTENSION, NoNpm, built, installed, npm

ROOT = EXTENSION.parents[1]
MOST_BYTES = 1_000_000


@pytest.fixture(scope="module")
def extension() -> Path:
    try:
        return installed()
    except NoNpm as reason:
        pytest.skip(str(reason))


def _manifest() -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((EXTENSION / "package.json").read_text())
    return manifest


@pytest.mark.parametrize("script", ["check", "test"])
def test_types_and_unit_tests(extension: Path, script: str) -> None:
    done = npm(script)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_bundle_is_small(extension: Path) -> None:
    built()
    parts = [path for path in (extension / "dist").rglob("*") if path.is_file()]
    assert {"extension.js", "chat.js", "style.css"} <= {path.name for path in parts}
    assert sum(path.stat().st_size for path in parts) <= MOST_BYTES


def test_what_names_a_program_a_folder_or_a_target_is_for_the_machine_alone() -> None:
    manifest = _manifest()
    scopes = {name: each["scope"] for name, each in manifest["contributes"]["configuration"]["properties"].items()}
    machine = {name for name, scope in scopes.items() if scope == "machine"}
    named = {name for name in scopes if name.startswith("pointsman.server.") or name.endswith(".target")}
    assert machine == named
    assert set(manifest["capabilities"]["untrustedWorkspaces"]["restrictedConfigurations"]) == machine


def test_every_command_of_the_manifest_is_made() -> None:
    source = (EXTENSION / "src" / "extension.ts").read_text()
    for command in _manifest()["contributes"]["commands"]:
        name = command["command"].removeprefix("pointsman.")
        assert f"    {name}: " in source, f"{name} is contributed and never registered"


def test_one_version() -> None:
    """`server/pointsman/__init__.py` has it; `make dist` writes it into the manifest."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "version" in project["dynamic"] and "version" not in project
    lock = json.loads((EXTENSION / "package-lock.json").read_text())
    assert _manifest()["version"] == lock["version"] == pointsman.__version__
