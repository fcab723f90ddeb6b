"""A home of its own with the real default models, a small real repository, and the real command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

WORKSPACE = Path(__file__).parents[1] / "workspaces" / "tiny"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Home:
    """A POINTSMAN_HOME. `run` is the command as a user types it."""

    path: Path
    environment: dict[str, str]

    def run(
        self, *arguments: str | Path, code: int | None = 0, cwd: Path | None = None, timeout: float = 180
    ) -> Result:
        """Run to the end and check the exit code; `code=None` takes any."""
        done = subprocess.run(
            [sys.executable, "-m", "pointsman", *map(str, arguments)],
            env=self.environment,
            cwd=cwd or self.path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        result = Result(done.returncode, done.stdout, done.stderr)
        assert code is None or result.code == code, f"{arguments} exited {result.code}: {result.err}"
        assert "Traceback" not in result.err
        return result

    def host_pid(self) -> int:
        return int(self.run("host", "status", "--json").json["pid"])

    def children(self) -> list[psutil.Process]:
        """The host's child processes."""
        return psutil.Process(self.host_pid()).children(recursive=True)


def make_home(path: Path, models: Path | None, **extra: str) -> Home:
    """A home whose models folder is a link to the pulled models; None leaves it empty."""
    (path / "data").mkdir(parents=True)
    if models is not None:
        (path / "data" / "models").symlink_to(models)
    environment = {k: v for k, v in os.environ.items() if not k.startswith("POINTSMAN_")}
    return Home(path, environment | {"POINTSMAN_HOME": str(path), "HOME": str(path), **extra})


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> Iterator[Home]:
    """One home, and so one host, for the whole session; tests that kill things use `fresh_home`."""
    made = make_home(tmp_path_factory.mktemp("home") / "p", models_dir)
    yield made
    made.run("host", "stop", code=None)


@pytest.fixture
def fresh_home(tmp_path: Path, models_dir: Path) -> Iterator[Callable[..., Home]]:
    made: list[Home] = []

    def make(**extra: str) -> Home:
        made.append(make_home(tmp_path / f"home{len(made)}", models_dir, **extra))
        return made[-1]

    yield make
    for one in made:
        one.run("host", "stop", code=None)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A fresh copy of the small workspace, committed to git."""
    root = tmp_path / "tiny"
    shutil.copytree(WORKSPACE, root)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "init.defaultBranch=main"]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *arguments], cwd=root, check=True)
    return root
