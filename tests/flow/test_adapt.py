"""Adapting the embedder to a repository, through the real child and the real model: kept when it helps, else not."""

from __future__ import annotations

import asyncio
import itertools
import os
import random
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from pointsman.build import build_host
from pointsman.errors import EngineError, PointsmanError
from pointsman.host.adaptations import FILE
from pointsman.host.api import AdaptParams, AdaptProgress, AdaptReport, ForgetParams, IndexParams, IndexReport
from pointsman.host.api import SearchParams as Search
from pointsman.host.service import HostService
from pointsman.settings import Paths
from tests.engine_checks import gone

pytestmark = [pytest.mark.model, pytest.mark.asyncio(loop_scope="module")]

NOUNS = dict(
    zip(
        ("invoice", "pallet", "driver", "warehouse", "customs", "truck", "refund", "parcel", "weight", "route"),
        ("blarn", "moxel", "tindro", "quab", "fershing", "olop", "griddet", "nuvvy", "sprock", "yalt"),
        strict=True,
    )
)
VERBS = {"load": "zib", "merge": "crant", "check": "hode", "print": "wex"}
"""A house's jargon: documentation has the second words, code the first; only the repository tells which is which."""


def write_repository(root: Path, *, jargon: bool) -> None:
    """200 functions in 20 files. Without jargon the documentation is of nonsense that tells nothing."""
    root.mkdir()
    draw = random.Random(0)
    combinations = [(v, a, b) for v in VERBS for a, b in itertools.permutations(NOUNS, 2)]
    chosen = draw.sample(combinations, 200)
    for number in range(20):
        functions = []
        for verb, first, second in chosen[number * 10 : number * 10 + 10]:
            said = (VERBS[verb], NOUNS[first], NOUNS[second])
            if not jargon:
                said = tuple("".join(draw.sample("bcdfglmnprstaeiou", 6)) for _ in range(3))  # type: ignore[assignment]
            functions.append(
                f'\ndef {verb}_{first}_of_{second}({second}, ledger):\n    """{said[0].title()} the {said[1]} of this '
                f'{said[2]} today."""\n    {first} = ledger.{verb}({second})\n    return {first}.total\n'
            )
        (root / f"part{number}.py").write_text("\n".join(functions))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def host(tmp_path_factory: pytest.TempPathFactory, models_dir: Path) -> AsyncIterator[tuple[HostService, Paths]]:
    home = tmp_path_factory.mktemp("adapt-home")
    paths = Paths.resolve({"POINTSMAN_HOME": str(home)}).ensure()
    paths.models.symlink_to(models_dir)
    service = build_host(paths)
    yield service, paths
    await service.close()


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("adapt") / "house"
    write_repository(root, jargon=True)
    return root


async def adapted(service: HostService, root: Path, minutes: float = 1.0) -> AdaptReport:
    *steps, last = [item async for item in service.adapt(AdaptParams(path=str(root), minutes=minutes))]
    assert {step.stage for step in steps if isinstance(step, AdaptProgress)} >= {"read", "embed", "train"}
    assert isinstance(last, AdaptReport)
    return last


async def indexed(service: HostService, root: Path) -> IndexReport:
    *_, last = [item async for item in service.index(IndexParams(path=str(root)))]
    assert isinstance(last, IndexReport)
    return last


def files(paths: Paths) -> list[Path]:
    return list(paths.indexes.glob(f"*/{FILE}"))


async def test_it_is_kept_serves_its_repository_alone_and_goes_when_it_must(
    host: tuple[HostService, Paths], root: Path, tmp_path: Path
) -> None:
    service, paths = host
    assert (await indexed(service, root)).model == "code-minilm"
    report = await adapted(service, root)
    assert report.kept and report.gain[1] > 0 and report.after > report.before
    assert report.pairs >= 100 and report.held_out >= 30
    (file,) = files(paths)
    assert file.stat().st_mode & 0o777 == 0o600

    after = await indexed(service, root)
    assert after.model.startswith("code-minilm+") and after.embedded == after.chunks
    other = tmp_path / "other"
    other.mkdir()
    (other / "one.py").write_text("def one():\n    return 1\n")
    assert (await indexed(service, other)).model == "code-minilm"
    found = await service.search(Search(path=str(root), query="zib the blarn", k=5))
    assert found.hits and not found.note

    assert (await service.forget(ForgetParams(path=str(root)))).removed
    back = await indexed(service, root)
    assert (back.model, back.embedded) == ("code-minilm", 0)  # the vectors of before are still known

    assert (await adapted(service, root)).kept
    (root / ".pointsmanignore").write_text("part3.py\n")
    dropped = await indexed(service, root)
    assert dropped.model == "code-minilm" and "exclusions" in dropped.note
    assert not files(paths)


async def test_a_run_can_be_repeated(host: tuple[HostService, Paths], root: Path) -> None:
    service, _ = host
    first, second = await adapted(service, root), await adapted(service, root)
    assert (first.before, first.after, first.gain) == (second.before, second.after, second.gain)
    assert (first.earlier, second.earlier) == (None, first.after) and second.kept
    await service.forget(ForgetParams(path=str(root)))


async def test_what_is_better_no_longer_goes(host: tuple[HostService, Paths], tmp_path: Path) -> None:
    service, paths = host
    house = tmp_path / "house"
    write_repository(house, jargon=True)
    good = await adapted(service, house)
    assert good.kept and files(paths)
    shutil.rmtree(house)
    write_repository(house, jargon=False)
    other = await adapted(service, house)
    assert not other.kept and other.removed and other.earlier is not None and not files(paths)


async def test_what_teaches_nothing_is_not_kept(host: tuple[HostService, Paths], tmp_path: Path) -> None:
    service, paths = host
    write_repository(tmp_path / "noise", jargon=False)
    report = await adapted(service, tmp_path / "noise")
    assert not report.kept and report.gain[1] <= 0
    assert not files(paths)


async def test_too_few_pairs_are_counted_in_the_message(host: tuple[HostService, Paths], tmp_path: Path) -> None:
    service, _ = host
    (tmp_path / "one.py").write_text("def one():\n    return 1\n")
    with pytest.raises(PointsmanError, match="0 pairs to learn from of 100, 0 questions"):
        await adapted(service, tmp_path)


async def test_a_killed_child_leaves_the_index_as_it_was(host: tuple[HostService, Paths], root: Path) -> None:
    service, paths = host
    before = await indexed(service, root)
    with pytest.raises(EngineError, match="ended early"):
        async with aclosing(service.adapt(AdaptParams(path=str(root)))) as stream:
            async for _ in stream:
                os.kill(child(), signal.SIGKILL)
    assert not files(paths)
    after = await indexed(service, root)
    assert (after.model, after.chunks, after.embedded) == (before.model, before.chunks, 0)


async def test_a_caller_that_leaves_ends_the_child(host: tuple[HostService, Paths], root: Path) -> None:
    service, paths = host
    async with aclosing(service.adapt(AdaptParams(path=str(root)))) as stream:
        async for _ in stream:
            pid = child()
            break
    assert await asyncio.to_thread(gone, pid)
    assert not files(paths)


def child() -> int:
    (found,) = [process.pid for process in psutil.Process().children() if "pointsman.worker.adapt" in process.cmdline()]
    return found
