"""The host's indexes when what they stand on changes while they are in use: policy's exclusions, the embedder."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import pytest

from pointsman.errors import PointsmanError
from pointsman.host.api import IndexParams, IndexReport, SearchParams
from pointsman.host.indexing import Indexes
from pointsman.models.base import EngineState, EngineStatus, Priority


class Embedder:
    """Unit vectors; waits for `release` before the first of them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.release = asyncio.Event()
        self.asked = asyncio.Event()

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> EngineStatus:
        return EngineStatus(name="fake", model=self.name, state=EngineState.READY)

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "document"], priority: Priority
    ) -> list[list[float]]:
        self.asked.set()
        await self.release.wait()
        return [[1.0, 0.0, 0.0] for _ in texts]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "open.py").write_text("def shown():\n    return 1\n")
    (root / "closed.py").write_text("def hidden():\n    return 2\n")
    return root


async def update(indexes: Indexes, root: Path) -> IndexReport:
    *_, last = [item async for item in indexes.update(IndexParams(path=str(root)))]
    assert isinstance(last, IndexReport)
    return last


async def test_what_policy_excludes_now_is_not_found_even_before_the_next_update(tmp_path: Path, root: Path) -> None:
    embedder, patterns = Embedder("a"), []
    embedder.release.set()

    async def made() -> tuple[Embedder, int]:
        return embedder, 3

    indexes = Indexes(tmp_path / "index", made, lambda _: tuple(patterns))
    await update(indexes, root)

    async def found() -> set[str]:
        return {hit.path for hit in (await indexes.search(SearchParams(path=str(root), query="hidden shown"))).hits}

    assert await found() == {"open.py", "closed.py"}
    patterns.append("closed.py")
    assert await found() == {"open.py"}
    await indexes.close()


async def test_an_update_whose_embedder_is_replaced_is_told_so(tmp_path: Path, root: Path) -> None:
    old, new = Embedder("a"), Embedder("b")
    new.release.set()
    current = [old]

    async def made() -> tuple[Embedder, int]:
        return current[0], 3

    indexes = Indexes(tmp_path / "index", made, lambda _: ())
    first = asyncio.create_task(update(indexes, root))
    await old.asked.wait()
    current[0] = new
    second = asyncio.create_task(update(indexes, root))
    with pytest.raises(PointsmanError, match="closed"):
        await asyncio.wait_for(first, 10)
    old.release.set()
    assert (await asyncio.wait_for(second, 10)).files == 2
    await indexes.close()
