"""When a repository's adaptation holds, when it is dropped, and what a run may change."""

from __future__ import annotations

import json
import stat
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pointsman import safefile
from pointsman.errors import EngineError, PointsmanError, UsageError
from pointsman.host.adaptations import FILE, Adaptations, Base
from pointsman.host.api import AdaptParams, AdaptProgress, AdaptReport
from pointsman.models.base import Adaptation
from pointsman_indexer import Exclusions

REPORT = AdaptReport(
    kept=True, pairs=200, kinds={}, held_out=50, before=0.5, after=0.6, gain=(0.1, 0.05, 0.15), seconds=1.0
)
BASE = Base(name="minilm", base_sha256="1" * 64, adapter_sha256="2" * 64)


def adaptation_of(root: Path, base: Base = BASE, *patterns: str) -> bytes:
    """A safetensors file without tensors."""
    metadata = {
        "embedder": base.name,
        "base_sha256": base.base_sha256,
        "adapter_sha256": base.adapter_sha256,
        "exclusions": Exclusions(root, patterns).fingerprint,
    }
    header = json.dumps({"__metadata__": metadata}).encode()
    return len(header).to_bytes(8, "little") + header


NAMELESS = (20).to_bytes(8, "little") + b'{"__metadata__": {} }'


class Learner:
    def __init__(self) -> None:
        self.now = BASE
        self.data = b""
        self.failure: PointsmanError | None = None
        self.removed = False
        self.used: list[Adaptation | None] = []

    def base(self) -> Base:
        return self.now

    async def learn(
        self, root: Path, exclude: Sequence[str], seconds: float, used: Adaptation | None
    ) -> AsyncGenerator[AdaptProgress | tuple[AdaptReport, bytes], None]:
        self.used.append(used)
        yield AdaptProgress(stage="train", done=1, total=2)
        if self.failure:
            raise self.failure
        yield replace(REPORT, kept=bool(self.data), removed=self.removed), self.data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    return root


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "index"


async def run(adaptations: Adaptations, root: Path, folder: Path) -> list[AdaptProgress | AdaptReport]:
    return [item async for item in adaptations.learn(root, folder, AdaptParams(path=str(root)))]


async def test_what_is_kept_is_private_and_names_its_vectors(root: Path, folder: Path) -> None:
    learner = Learner()
    adaptations = Adaptations(learner, lambda _: ())
    assert adaptations.find(root, folder) == (None, "")
    learner.data = adaptation_of(root)
    *_, last = await run(adaptations, root, folder)
    assert last == REPORT
    found, note = adaptations.find(root, folder)
    assert found is not None and note == ""
    assert found.name == f"minilm+{found.sha256[:8]}"
    assert stat.S_IMODE(found.file.stat().st_mode) == 0o600
    assert adaptations.remove(folder) and not adaptations.remove(folder)
    assert adaptations.find(root, folder) == (None, "")


async def test_a_run_that_is_not_better_or_fails_leaves_what_was_there(root: Path, folder: Path) -> None:
    learner = Learner()
    adaptations = Adaptations(learner, lambda _: ())
    learner.data = adaptation_of(root)
    await run(adaptations, root, folder)
    before = adaptations.find(root, folder)
    learner.data = b""
    *_, last = await run(adaptations, root, folder)
    assert isinstance(last, AdaptReport) and not last.kept
    learner.failure = EngineError("adapting ended early")
    with pytest.raises(EngineError):
        await run(adaptations, root, folder)
    assert adaptations.find(root, folder) == before
    learner.failure = None
    await run(adaptations, root, folder)  # the failed one does not block the next
    assert learner.used == [None, before[0], before[0], before[0]]


async def test_one_that_is_better_no_longer_is_removed(root: Path, folder: Path) -> None:
    learner = Learner()
    adaptations = Adaptations(learner, lambda _: ())
    learner.data = adaptation_of(root)
    await run(adaptations, root, folder)
    learner.data, learner.removed = b"", True
    await run(adaptations, root, folder)
    assert adaptations.find(root, folder) == (None, "") and not (folder / FILE).exists()


async def test_other_exclusions_remove_it_and_say_so(root: Path, folder: Path) -> None:
    patterns: list[str] = []
    adaptations = Adaptations(Learner(), lambda _: tuple(patterns))
    for change in (
        lambda: patterns.append("secret/"),
        lambda: (root / ".pointsmanignore").write_text("other/\n"),
    ):
        safefile.replace(folder / FILE, adaptation_of(root, BASE, *patterns))
        assert adaptations.find(root, folder)[0] is not None
        change()
        found, note = adaptations.find(root, folder)
        assert found is None and "exclusions" in note and "--adapt" in note
        assert not (folder / FILE).exists()


def test_another_embedder_lets_it_wait_and_another_version_removes_it(root: Path, folder: Path) -> None:
    learner = Learner()
    adaptations = Adaptations(learner, lambda _: ())
    safefile.replace(folder / FILE, adaptation_of(root))
    learner.now = replace(BASE, name="other")
    assert adaptations.find(root, folder) == (None, "")
    learner.now = BASE
    assert adaptations.find(root, folder)[0] is not None
    learner.now = replace(BASE, adapter_sha256="3" * 64)
    found, note = adaptations.find(root, folder)
    assert found is None and "embedder" in note
    assert not (folder / FILE).exists()


@pytest.mark.parametrize("data", [b"", b"short", b"\xff" * 64, (4).to_bytes(8, "little") + b"[[[[", NAMELESS])
def test_a_damaged_file_is_removed(root: Path, folder: Path, data: bytes) -> None:
    safefile.replace(folder / FILE, data)
    found, note = Adaptations(Learner(), lambda _: ()).find(root, folder)
    assert found is None and "--adapt" in note
    assert not (folder / FILE).exists()


async def test_a_full_disk_changes_nothing_and_is_said(
    root: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    learner = Learner()
    learner.data = adaptation_of(root)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(safefile, "replace", full)
    adaptations = Adaptations(learner, lambda _: ())
    with pytest.raises(PointsmanError, match="No space left") as raised:
        await run(adaptations, root, folder)
    assert raised.value.remedy
    assert adaptations.find(root, folder) == (None, "")


async def test_an_embedder_without_an_adapter_and_a_second_run_are_refused(root: Path, folder: Path) -> None:
    learner = Learner()
    adaptations = Adaptations(learner, lambda _: ())
    first = adaptations.learn(root, folder, AdaptParams(path=str(root)))
    await anext(first)
    with pytest.raises(PointsmanError, match="already"):
        await run(adaptations, root, folder)
    await first.aclose()
    await run(adaptations, root, folder)
    learner.now = replace(BASE, adapter_sha256="")
    with pytest.raises(UsageError, match="cannot be adapted"):
        await run(adaptations, root, folder)
