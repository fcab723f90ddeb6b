"""A newer version takes the place of an older one: real wheels, by pip into one environment, over one home."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import pointsman
from tests.lspwire import Wire

from .conftest import Home
from .ghost import suggestion

pytestmark = pytest.mark.model

ROOT = Path(__file__).parents[2]
OLDER = "0.0.9"
POLICY = """\
version = 1
[closed]
enabled = true
tasks = ["refactor"]
[[closed.endpoints]]
name = "vendor"
base_url = "https://models.example/v1"
models = ["big-1"]
key = "env:VENDOR_KEY"
"""


def _wheel(folder: Path, version: str) -> Path:
    source = folder / f"source-{version}"
    for name in ("server", "indexer"):
        ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
        shutil.copytree(ROOT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    init = source / "server" / "pointsman" / "__init__.py"
    init.write_text(init.read_text().replace(f'"{pointsman.__version__}"', f'"{version}"'))
    _pip("wheel", "--no-build-isolation", "--wheel-dir", folder, source)
    return next(folder.glob(f"pointsman-{version}-*.whl"))


def _pip(*arguments: str | Path) -> None:
    """Run pip offline; options stand before the command."""
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, *arguments, "--no-deps", "--no-index"], check=True, timeout=300)


class Installed:
    """An environment of its own; it borrows the libraries of this one, but not its Pointsman."""

    def __init__(self, folder: Path, home: Home) -> None:
        self.folder, self.home = folder, home
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True, timeout=120)
        own = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        (own / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
        self.environment = {name: value for name, value in home.environment.items() if name != "PYTHONPATH"}
        self.program = folder / "bin" / "pointsman"

    def install(self, wheel: Path) -> None:
        _pip("--python", self.folder / "bin" / "python", "install", "--upgrade", wheel)

    def run(self, *arguments: str | Path) -> Any:
        command = [self.program, *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    async def type_once(self, repository: Path) -> None:
        """A window in which one suggestion is asked for."""
        wire = await Wire.start([str(self.program), "serve"], self.environment)
        try:
            await wire.initialize(repository.as_uri())
            await suggestion(wire, repository)
            await wire.leave()
        finally:
            await wire.close()


async def test_index_policy_and_history_stay(fresh_home: Callable[..., Home], repository: Path, tmp_path: Path) -> None:
    home = fresh_home()
    (home.path / "config").mkdir()
    (home.path / "config" / "policy.toml").write_text(POLICY)
    installed = Installed(tmp_path / "environment", home)
    installed.install(_wheel(tmp_path, OLDER))
    assert OLDER in installed.run("--version")
    assert installed.run("index", repository, "--json")["embedded"] > 0
    installed.run("policy", "trust", repository)
    await installed.type_once(repository)
    policy, host = installed.run("policy", "show", repository, "--json"), installed.run("host", "status", "--json")
    typed = installed.run("stats", "--json")["periods"]["day"]["requests"]
    assert host["version"] == OLDER and policy["trusted"] is True and typed > 0

    installed.install(_wheel(tmp_path, pointsman.__version__))
    assert pointsman.__version__ in installed.run("--version")
    again = installed.run("index", repository, "--json")
    assert again["embedded"] == 0 and again["chunks"] > 0, "the index was built anew"
    assert installed.run("host", "status", "--json")["version"] == pointsman.__version__, "the older host was kept"
    assert installed.run("policy", "show", repository, "--json") == policy
    assert installed.run("stats", "--json")["periods"]["day"]["requests"] == typed
    await installed.type_once(repository)
    assert installed.run("stats", "--json")["periods"]["day"]["requests"] > typed
