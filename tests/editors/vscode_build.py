"""The extension, built once for a test run from its lock; without the server, which the tests have already."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
from pathlib import Path

EXTENSION = Path(__file__).parents[2] / "clients" / "vscode"
_SECONDS = 300


class NoNpm(Exception):
    """The extension cannot be built here; the message says why."""


@functools.cache
def installed() -> Path:
    """The extension's folder with its dependencies in place."""
    if shutil.which("npm") is None:
        raise NoNpm("npm is not installed: install Node 20 or newer to test the VS Code extension")
    lock, stamp = EXTENSION / "package-lock.json", EXTENSION / "node_modules" / ".package-lock.json"
    if not stamp.exists() or stamp.stat().st_mtime < lock.stat().st_mtime:
        done = _npm("ci", "--ignore-scripts", "--no-audit", "--no-fund")
        if done.returncode != 0:
            if os.environ.get("CI"):
                raise AssertionError(done.stderr)
            raise NoNpm(f"npm could not bring the extension's dependencies: {done.stderr.strip().splitlines()[:1]}")
    return EXTENSION


def npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run an npm script of the extension."""
    installed()
    return _npm("run", "--silent", *arguments)


@functools.cache
def built() -> Path:
    """The packed extension."""
    for script in (("build",), ("package", "--", "-o", "pointsman-test.vsix")):
        done = npm(*script)
        assert done.returncode == 0, done.stdout + done.stderr
    return EXTENSION / "pointsman-test.vsix"


def packed(folder: Path, to: Path) -> Path:
    """Another extension, packed as this one is."""
    vsce = installed() / "node_modules" / ".bin" / "vsce"
    options = ["--no-dependencies", "--allow-missing-repository", "--skip-license", "-o", str(to)]
    done = subprocess.run(
        [str(vsce), "package", *options], cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return to


def _npm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["npm", *arguments], cwd=EXTENSION, capture_output=True, text=True, timeout=_SECONDS, check=False
    )
