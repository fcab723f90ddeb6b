"""What repositories taught the embedder: one file in the folder of each one's index, and whether it still holds.

A file holds for the encoder, the adapter and the exclusions that it was made with. With other ones it is removed, for
it is derived from code that may be excluded by now. Knows nothing of torch; `build.py` brings the child that learns.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pointsman import safefile
from pointsman.errors import ConfigError, PointsmanError, UsageError
from pointsman.host.api import AdaptParams, AdaptProgress, AdaptReport
from pointsman.models.base import Adaptation
from pointsman_indexer import Exclusions, IndexerError

FILE = "adaptation.safetensors"
_LONGEST_HEADER = 64 * 1024
_TOLD = ("embedder", "base_sha256", "adapter_sha256", "exclusions")
"""What a file's metadata must say; the figures that it also holds are for people."""
_AGAIN = "run `pointsman index --adapt` again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The embedder that is adapted, as the settings name it now."""

    name: str
    base_sha256: str
    adapter_sha256: str
    """"" for an embedder that cannot be adapted."""


class Learner(Protocol):
    """Starts the child."""

    def base(self) -> Base: ...

    def learn(
        self, root: Path, exclude: Sequence[str], seconds: float, used: Adaptation | None
    ) -> AsyncGenerator[AdaptProgress | tuple[AdaptReport, bytes], None]:
        """Progress, then the report and the file's bytes, b"" when it is not kept. `used` is measured beside what is
        learned. Closing the stream stops it. Raises `ModelMissing` or what the child failed with."""
        ...


class Adaptations:
    """Of all repositories. `folder` everywhere is that of a repository's index."""

    def __init__(self, learner: Learner, exclusions: Callable[[Path], Sequence[str]]) -> None:
        self._learner = learner
        self._exclusions = exclusions
        self._known: dict[Path, tuple[tuple[int, int, int], dict[str, str], str]] = {}
        self._learning: set[Path] = set()

    def find(self, root: Path, folder: Path) -> tuple[Adaptation | None, str]:
        """The adaptation that holds for this repository, and what the user should know of one that does not."""
        file = folder / FILE
        try:
            metadata, sha256 = self._read(file)
        except FileNotFoundError:
            return None, ""
        except (ConfigError, ValueError, KeyError, TypeError, OSError):
            self.remove(folder)
            return None, f"the embedder's adaptation could not be read and was removed: {_AGAIN}"
        base = self._learner.base()
        reason = ""
        if metadata["exclusions"] != self._fingerprint(root):
            reason = "the exclusions have changed since it was made"
        elif metadata["embedder"] != base.name:
            return None, ""  # another embedder is chosen; it waits for the return of its own
        elif (metadata["base_sha256"], metadata["adapter_sha256"]) != (base.base_sha256, base.adapter_sha256):
            reason = "the embedder is another one since it was made"
        if reason:
            self.remove(folder)
            return None, f"the embedder's adaptation was removed, for {reason}: {_AGAIN}"
        return Adaptation(name=f"{base.name}+{sha256[:8]}", file=file, sha256=sha256), ""

    async def learn(
        self, root: Path, folder: Path, params: AdaptParams
    ) -> AsyncGenerator[AdaptProgress | AdaptReport, None]:
        """Nothing changes before the report. What was kept before stays until something better replaces it, or until
        it is no longer better than the shipped embedder."""
        base = self._learner.base()
        if not base.adapter_sha256:
            raise UsageError(
                f"the embedder {base.name} cannot be adapted", remedy='set embedder = "code-minilm" in settings.toml'
            )
        if root in self._learning:
            raise PointsmanError("this repository is being adapted to already", remedy="wait for it to end")
        self._learning.add(root)
        try:
            used, _ = self.find(root, folder)
            stream = self._learner.learn(root, self._exclusions(root), 60 * params.minutes, used)
            async with contextlib.aclosing(stream) as items:
                async for item in items:
                    if isinstance(item, AdaptProgress):
                        yield item
                        continue
                    report, data = item
                    if data:
                        self._keep(folder, data)
                    elif report.removed:
                        self.remove(folder)
                    yield report
        finally:
            self._learning.discard(root)

    def remove(self, folder: Path) -> bool:
        """Whether there was one. Raises `PointsmanError` when it cannot be removed."""
        self._known.pop(folder / FILE, None)
        try:
            (folder / FILE).unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise PointsmanError(f"{folder / FILE} cannot be removed: {error.strerror}") from error
        return True

    def _keep(self, folder: Path, data: bytes) -> None:
        try:
            safefile.replace(folder / FILE, data)
        except OSError as error:
            raise PointsmanError(
                f"the adaptation cannot be kept: {error.strerror}", remedy="make room on the disk; nothing has changed"
            ) from error

    def _fingerprint(self, root: Path) -> str:
        try:
            return Exclusions(root, self._exclusions(root)).fingerprint
        except IndexerError as error:
            raise PointsmanError(error.message, remedy=error.remedy) from error

    def _read(self, file: Path) -> tuple[dict[str, str], str]:
        """Metadata and hash, read again when the file is another one."""
        found = file.stat()
        stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
        if file not in self._known or self._known[file][0] != stamp:
            data = safefile.read(file, private=True)
            length = int.from_bytes(data[:8], "little")
            if length > _LONGEST_HEADER:
                raise ValueError("no header")
            told = json.loads(data[8 : 8 + length])["__metadata__"]
            metadata = {key: str(told[key]) for key in _TOLD}
            self._known[file] = (stamp, metadata, hashlib.sha256(data).hexdigest())
        return self._known[file][1], self._known[file][2]
