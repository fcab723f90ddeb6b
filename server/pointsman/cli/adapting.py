"""What `pointsman index --adapt` shows: progress while it learns, and whether what was learned is kept."""

from __future__ import annotations

import contextlib
from typing import Any

from pointsman.cli.common import Cli, bar_of
from pointsman.errors import HostError
from pointsman.host.api import AdaptParams, AdaptProgress, AdaptReport, HostApi

_STAGES = {
    "read": "reading the repository's examples",
    "embed": "embedding code",
    "questions": "embedding questions",
    "lessons": "embedding lessons",
    "train": "learning",
}


async def adapt_embedder(cli: Cli, host: HostApi, path: str, minutes: float) -> AdaptReport:
    with bar_of(cli, "adapt") as (bar, task):
        async with contextlib.aclosing(host.adapt(AdaptParams(path=path, minutes=minutes))) as stream:
            async for item in stream:
                if isinstance(item, AdaptProgress):
                    description = _STAGES.get(item.stage, item.stage)
                    bar.update(task, description=description, completed=item.done, total=item.total or None)
                else:
                    return item
    raise HostError("adapting ended without a report")


def as_object(adapted: AdaptReport, embedder: str) -> dict[str, Any]:
    return {
        "kept": adapted.kept,
        "pairs": adapted.pairs,
        "kinds": adapted.kinds,
        "held_out": adapted.held_out,
        "mrr@10": {"before": adapted.before, "after": adapted.after},
        "gain": list(adapted.gain),
        "earlier": {"mrr@10": adapted.earlier, "removed": adapted.removed} if adapted.earlier is not None else None,
        "seconds": adapted.seconds,
        "embedder": embedder,
    }


def verdict(adapted: AdaptReport) -> str:
    mean, low, high = adapted.gain
    figures = (
        f"MRR@10 {adapted.before:.3f} before, {adapted.after:.3f} after; gain {mean:+.3f} [{low:+.3f}, {high:+.3f}]"
    )
    asked = f"{adapted.held_out} questions about files that were held out"
    if adapted.kept:
        return f"adapted from {adapted.pairs} pairs and kept: {figures} on {asked}"
    told = f"adapted from {adapted.pairs} pairs and not kept, for it is not surely better: {figures} on {asked}"
    if adapted.earlier is None:
        return told
    fate = "was removed, for it is no longer better than the embedder as it ships" if adapted.removed else "stays"
    return f"{told}; what was learned before has {adapted.earlier:.3f} there and {fate}"
