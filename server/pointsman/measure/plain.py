"""The peer of the pipeline: the same weights, given the text before the cursor and nothing else."""

from __future__ import annotations

import re
from contextlib import aclosing

from pointsman.host.api import GenerateParams, HostApi, ModelFacts
from pointsman.measure.masks import indentation
from pointsman.measure.task import Task
from pointsman.models.base import GenerateRequest, Piece, Priority, Sampling

PREFIX_TOKENS = 600
_CHARACTERS = 3.5
"""Of a token of source code, as measured for the default model."""
_HELD_BACK = re.compile(r"[ \t]?\w*$")


async def plain(host: HostApi, facts: ModelFacts, task: Task, max_tokens: int) -> str:
    """Greedy from the last `PREFIX_TOKENS` tokens, to the end of the line where one is asked for, else of the block.

    Tokens are healed as for the pipeline: behind an indentation or half a word a model has to write tokens that it has
    never seen there, and what it gets wrong for that says nothing about what the pipeline knows.
    """
    before = task.before[-int(PREFIX_TOKENS * _CHARACTERS) :]
    held = _HELD_BACK.search(before)[0]  # type: ignore[index]
    stop = ("\n",) if task.lines == 1 else ()
    sampling = Sampling(max_tokens=max_tokens, stop=stop, begin=held, solid=held.isspace())
    request = GenerateRequest(
        prompt=facts.begin + before.removesuffix(held), sampling=sampling, priority=Priority.TYPING
    )
    parts: list[str] = []
    async with aclosing(host.generate(GenerateParams(task="completion", request=request))) as stream:
        async for item in stream:
            if isinstance(item, Piece):
                parts.append(item.text)
    text = "".join(parts).removeprefix(held)
    return text if stop else _block(text, task.before)


def _block(text: str, before: str) -> str:
    """`text` up to the first line that is less indented than the one that the cursor is in."""
    first, *others = text.split("\n")
    indent = indentation(before[before.rfind("\n") + 1 :] + first)
    kept = [first]
    for line in others:
        if line.strip() and indentation(line) < indent:
            break
        kept.append(line)
    return "\n".join(kept)
