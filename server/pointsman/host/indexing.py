"""The host's indexes: one per repository, opened when first asked for and shared by all clients.

An embedder that changes closes and opens them. Knows nothing of sockets or policy files.
"""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import hashlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from pathlib import Path

from pointsman.errors import NotFound, PointsmanError
from pointsman.host.adaptations import Adaptations
from pointsman.host.api import (
    AdaptParams,
    AdaptProgress,
    AdaptReport,
    ForgetParams,
    ForgetReply,
    IndexParams,
    IndexProgress,
    IndexReport,
    IndexState,
    InScopeParams,
    InScopeReply,
    OutlineParams,
    OutlineReply,
    SearchParams,
    SearchReply,
    UsesParams,
    UsesReply,
)
from pointsman.host.index_thread import Surroundings
from pointsman.host.repository import Repository
from pointsman.models.base import Adaptation, TextEmbedder
from pointsman_indexer import find_root


class Indexes:
    """All indexes of the user, each in a folder of its own below `folder`."""

    def __init__(
        self,
        folder: Path,
        embedder: Callable[[Adaptation | None], Awaitable[tuple[TextEmbedder, int]]],
        surroundings: Surroundings,
        adaptations: Adaptations,
    ) -> None:
        self._folder = folder
        self._embedder = embedder
        """The embedder in use, adapted or as it ships, and the length of its vectors; raises `ModelMissing`."""
        self._surroundings = surroundings
        self._adaptations = adaptations
        self._open: dict[Path, Repository] = {}
        self._opening = asyncio.Lock()

    async def update(self, params: IndexParams) -> AsyncGenerator[IndexProgress | IndexReport, None]:
        repository = await self._repository(params.path)
        paths = await asyncio.to_thread(_inside, repository.root, params.paths) if params.paths else None
        imported = exported = 0
        if params.import_from:
            async for step in repository.take_over(Path(params.import_from)):
                if isinstance(step, IndexProgress):
                    yield step
                else:
                    imported = step
        async with contextlib.aclosing(repository.updates.join(paths)) as stream:
            async for item in stream:
                if isinstance(item, IndexProgress):
                    yield item
                    continue
                if params.export_to:
                    async for step in repository.hand_out(Path(params.export_to)):
                        if isinstance(step, IndexProgress):
                            yield step
                        else:
                            exported = step
                yield dataclasses.replace(item, imported=imported, exported=exported)

    async def adapt(self, params: AdaptParams) -> AsyncGenerator[AdaptProgress | AdaptReport, None]:
        root = await asyncio.to_thread(_root_of, params.path)
        async with contextlib.aclosing(self._adaptations.learn(root, self._folder_of(root), params)) as stream:
            async for item in stream:
                yield item

    async def forget(self, params: ForgetParams) -> ForgetReply:
        root = await asyncio.to_thread(_root_of, params.path)
        return ForgetReply(removed=await asyncio.to_thread(self._adaptations.remove, self._folder_of(root)))

    async def search(self, params: SearchParams) -> SearchReply:
        repository = await self._repository(params.path)
        return await repository.search(params)

    async def outline(self, params: OutlineParams) -> OutlineReply:
        repository = await self._repository(params.path)
        return OutlineReply(root=str(repository.root), text=await repository.outline(params))

    async def uses(self, params: UsesParams) -> UsesReply:
        return await (await self._repository(params.path)).uses(params)

    async def in_scope(self, params: InScopeParams) -> InScopeReply:
        return await (await self._repository(params.path)).in_scope(params)

    def states(self) -> tuple[IndexState, ...]:
        return tuple(repository.state() for repository in self._open.values())

    async def close(self) -> None:
        for repository in self._open.values():
            await repository.close()
        self._open.clear()

    async def _repository(self, path: str) -> Repository:
        root = await asyncio.to_thread(_root_of, path)
        async with self._opening:
            folder = self._folder_of(root)
            adaptation, remark = await asyncio.to_thread(self._adaptations.find, root, folder)
            embedder, dimension = await self._embedder(adaptation)
            if root in self._open and self._open[root].embedder is not embedder:
                await self._open.pop(root).close()
            if root not in self._open:
                self._open[root] = Repository(root, folder, embedder, dimension, self._surroundings)
            if remark:
                self._open[root].updates.remark = remark
            return self._open[root]

    def _folder_of(self, root: Path) -> Path:
        return self._folder / hashlib.sha256(str(root).encode("utf-8", "surrogatepass")).hexdigest()[:24]


def _root_of(path: str) -> Path:
    given = Path(path)
    try:
        if not given.is_absolute() or not given.exists():
            raise NotFound(f"{given.name or path} does not exist")
        return find_root(given).resolve()
    except OSError as error:
        raise PointsmanError(f"{given.name} cannot be looked at: {error.strerror}") from error


def _inside(root: Path, paths: Sequence[str]) -> list[str]:
    """Those of absolute paths that lie in the repository, relative to it; the folders on the way may be links."""
    found = []
    for path in map(Path, paths):
        real = Path(os.path.realpath(path.parent)) / path.name
        if real != root and real.is_relative_to(root):
            found.append(real.relative_to(root).as_posix())
    return found
