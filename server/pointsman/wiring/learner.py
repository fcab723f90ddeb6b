"""Lets the embedder learn from a repository, in a child process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from pointsman.host.adaptations import Base
from pointsman.host.api import AdaptProgress, AdaptReport
from pointsman.models.base import Adaptation
from pointsman.settings import Settings
from pointsman.wiring.maker import CatalogueMaker
from pointsman.worker import messages as m
from pointsman.worker.adapt_link import adapt


class ChildLearner:
    """`Learner` by the adapting child."""

    def __init__(self, maker: CatalogueMaker, settings: Callable[[], Settings]) -> None:
        self._maker = maker
        self._settings = settings

    def base(self) -> Base:
        card = self._maker.card(self._settings().embedder)
        weights = {file.name: file.sha256 for file in card.files}
        return Base(
            name=card.name,
            base_sha256=weights.get("model.safetensors", ""),
            adapter_sha256=card.adapter_sha256,
        )

    async def learn(
        self, root: Path, exclude: Sequence[str], seconds: float, used: Adaptation | None
    ) -> AsyncGenerator[AdaptProgress | tuple[AdaptReport, bytes], None]:
        spec = await asyncio.to_thread(self._maker.adaptable, self._settings())
        order = m.Adapt(
            root=str(root),
            exclude=tuple(exclude),
            embedder=spec,
            base_sha256=self.base().base_sha256,
            seconds=seconds,
            head=str(used.file) if used else "",
            head_sha256=used.sha256 if used else "",
        )
        async with contextlib.aclosing(adapt(order)) as said:
            async for message in said:
                if isinstance(message, m.Step):
                    yield AdaptProgress(stage=message.stage, done=message.done, total=message.total)
                    continue
                report = AdaptReport(
                    kept=bool(message.data),
                    pairs=message.pairs,
                    kinds=message.kinds,
                    held_out=message.held_out,
                    before=message.before,
                    after=message.after,
                    gain=message.gain,
                    seconds=message.seconds,
                    earlier=message.earlier,
                    removed=not message.data and message.earlier is not None and not message.earlier_holds,
                )
                yield report, m.unpack_bytes(message)
