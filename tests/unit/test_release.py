"""What is released for users holds what the server needs, and nothing that only developers do."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


def _module() -> Any:
    spec = importlib.util.spec_from_file_location("runtime_lock", ROOT / "release" / "runtime_lock.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_lock_for_users_has_the_servers_needs_with_their_hashes_alone() -> None:
    lock = _module().runtime_lock((ROOT / "requirements.lock").read_text())
    names = set(re.findall(r"(?m)^([\w.-]+)==", lock))
    assert {"pygls", "lsprotocol", "qdrant-client", "transformers", "click", "cattrs"} <= names
    assert not {"pytest", "mypy", "ruff", "hypothesis", "pytest-lsp", "torch"} & names
    assert {"sympy", "networkx", "jinja2", "setuptools", "mpmath", "markupsafe"} <= names, "what torch needs"
    assert all("--hash=sha256:" in entry for entry in re.split(r"(?m)^(?=[\w.-]+==)", lock) if entry.strip())


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The module, on packages that need others on some machines only."""
    needs = {
        "pointsman": ['old; python_version < "3.12"', "torch", 'dev; extra == "dev"', "kit[fast]"],
        "kit": ['quick; extra == "fast"', 'slow; extra == "slow"', 'win; os_name == "nt"'],
        "old": ['mac; sys_platform == "darwin"'],
        "torch": ["graph", 'driver; platform_system == "Linux"'],
    }
    module = _module()
    monkeypatch.setattr(module, "requires", lambda name: needs.get(name))
    return module


def _lock(*names: str) -> str:
    return "".join(f"{name}==1 \\\n    --hash=sha256:00\n" for name in names)


def test_what_any_supported_machine_needs_is_in_whichever_machine_makes_the_release(made_up: Any) -> None:
    wanted = _lock("graph", "kit", "mac", "old", "quick")
    assert made_up.runtime_lock(wanted + _lock("dev", "slow", "win")) == wanted


def test_what_the_lock_lacks_ends_the_release(made_up: Any) -> None:
    with pytest.raises(SystemExit, match="mac; run `make lock`"):
        made_up.runtime_lock(_lock("graph", "kit", "old", "quick"))
