"""What is released for users holds what the server needs, and nothing that only developers do."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Any

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
    assert all("--hash=sha256:" in entry for entry in re.split(r"(?m)^(?=[\w.-]+==)", lock) if entry.strip())
