"""Ask the engine for one suggestion, and stop it as soon as the text has left the scope.

Knows streams, not what makes a suggestion good.
"""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import dataclass

from pointsman.complete.clean import stutters
from pointsman.complete.prompt import Prompt
from pointsman.complete.scope import Scope, within
from pointsman.host.api import GenerateParams, HostApi
from pointsman.models.base import Finish, GenerateRequest, Priority, Sampling


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What the model wrote, up to the end of the scope. Times are milliseconds."""

    text: str
    tokens: int
    logprob: float
    """Sum over the tokens up to the end of the first line that says something."""
    line_tokens: int
    """Of that line: further ones come or not by how quick the machine is, and say nothing of whether it is right."""
    reused_tokens: int | None
    """None when the stream was closed before the engine could say."""
    ended_by: str
    queue_ms: float
    prefill_ms: float
    decode_ms: float
    mismatch: bool = False
    """True when the answer does not begin with what the prompt held back."""


async def draft(
    host: HostApi,
    prompt: Prompt,
    scope: Scope,
    *,
    max_tokens: int,
    stop_line: str = "",
    alternative: int = 0,
    patience: float | None = None,
    instead: bool = False,
    workspace: str = "",
) -> Draft:
    """The likeliest suggestion; with `alternative` above 0 a drawn one, the same one for the same number.

    `stop_line` is the line of the document that must not be written again, with its indentation. `patience`: seconds of
    writing after which whole lines are enough, and the one that is under way is not waited for; the first line neither
    where there is something else to show (`instead`).

    Cancelling closes the stream, which frees the engine before its next token.
    """
    may_break = scope.multi_line or scope.inside_bracket
    below = (f"\n{stop_line}",) if stop_line else ()
    sampling = Sampling(
        max_tokens=max_tokens,
        temperature=0.7 if alternative else 0.0,
        top_p=0.95 if alternative else 1.0,
        seed=alternative or None,
        stop=(*prompt.stop, *below) if may_break else (*prompt.stop, "\n"),
        begin=prompt.held_back,
        solid=prompt.solid,
    )
    request = GenerateRequest(prompt=prompt.text, sampling=sampling, priority=Priority.TYPING)
    written, tokens, logprob, line_tokens = "", 0, 0.0, 0
    ended_by, finish = "stop", None
    begun = first = time.perf_counter()
    async with aclosing(
        host.generate(GenerateParams(task="completion", request=request, workspace=workspace))
    ) as stream:
        async for item in stream:
            if isinstance(item, Finish):
                finish, ended_by = item, item.reason
                break
            if not tokens:
                first = time.perf_counter()
            if not _whole_lines(written):
                logprob, line_tokens = logprob + item.logprob, line_tokens + item.tokens
            written, tokens = written + item.text, tokens + item.tokens
            if not _may_begin(written, prompt.held_back):
                ended_by = "mismatch"
                break
            if within(written[len(prompt.held_back) :], scope, finished=False)[1]:
                ended_by = "scope"
                break
            if stutters(written):
                ended_by = "stutter"
                break
            late = patience is not None and time.perf_counter() - first > patience
            if late and (instead or _whole_lines(written)):
                ended_by = "time"
                break
    now = time.perf_counter()
    text = within(written[len(prompt.held_back) :], scope, finished=True)[0]
    if ended_by in ("length", "time") and _whole_lines(text):
        text = text[: text.rindex("\n")]  # the last line was cut off in the middle
    elif ended_by == "time":
        text = ""
    mismatch = not written.startswith(prompt.held_back)
    return Draft(
        text="" if mismatch else text,
        tokens=tokens,
        logprob=logprob,
        line_tokens=line_tokens,
        reused_tokens=finish.reused_tokens if finish else None,
        ended_by=ended_by,
        queue_ms=finish.queue_ms if finish else 0.0,
        prefill_ms=finish.prefill_ms if finish else (first - begun) * 1000,
        decode_ms=finish.decode_ms if finish else (now - first) * 1000,
        mismatch=mismatch,
    )


def _whole_lines(text: str) -> bool:
    """Whether a line that says something is at its end."""
    return "\n" in text.lstrip()


def _may_begin(written: str, wanted: str) -> bool:
    return written.startswith(wanted) or wanted.startswith(written)
