"""Everything local without any network: index, search, complete, ask and refactor in a namespace that has none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .conftest import Home

pytestmark = pytest.mark.model

COMMANDS = (
    ["index", "{repo}", "--json"],
    ["search", "discount", "--path", "{repo}", "--json"],
    ["complete", "{repo}/shop/cart.py:42:48", "--json"],
    ["ask", "What is a cart?", "--path", "{repo}", "--json"],
    ["refactor", "{repo}/shop/inventory.py:__init__", "add a docstring", "--json"],
)


def _namespace() -> list[str]:
    """A command prefix that takes the network away, or a skip where the kernel does not let us."""
    prefix = ["unshare", "--user", "--map-root-user", "--net"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*prefix, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("no network namespace of one's own here: unshare --user --net is not allowed")
    return prefix


def test_local_work_needs_no_network(fresh_home: Callable[..., Home], repository: Path) -> None:
    prefix, home = _namespace(), fresh_home()
    (home.path / "config").mkdir()
    (home.path / "config" / "policy.toml").write_text("version = 1\nlocal_only = true\n")
    script = " && ".join(
        " ".join([sys.executable, "-m", "pointsman", *(f"'{part.format(repo=repository)}'" for part in command)])
        for command in COMMANDS
    )
    # One namespace for all, so that the host that the first command starts lives in it as well.
    stop = f"{sys.executable} -m pointsman host stop"
    done = subprocess.run(
        [*prefix, "sh", "-c", f"({script}); code=$?; {stop} >/dev/null; exit $code"],
        env=home.environment, cwd=home.path, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    decoder, rest, answers = json.JSONDecoder(), done.stdout.strip(), []
    while rest:
        value, end = decoder.raw_decode(rest)
        answers.append(value)
        rest = rest[end:].strip()
    index, search, complete, ask, refactor = answers
    assert index["embedded"] > 0 and search["hits"] and complete["model"] and ask["route"]["target"] == "local"
    assert refactor["route"]["target"] == "local"
