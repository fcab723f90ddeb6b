"""A change made by the local model: a docstring by its own way, anything else as a rewritten selection.

Small models lose code that they were to keep. An answer that lost too much of it is thrown away, and said so.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass

from pointsman.errors import PointsmanError
from pointsman.host.api import GenerateParams, HostApi, ModelFacts
from pointsman.models.base import Finish, GenerateRequest, Priority, Sampling
from pointsman.models.prompting import estimate_tokens, render_chat, ticks_for, without_markers
from pointsman.refactor.answer import new_document
from pointsman.refactor.checks import new_syntax_errors, parses_alone
from pointsman.refactor.docstring import STOP, DocstringPlan, plan_docstring
from pointsman.refactor.lines import Selection
from pointsman.refactor.prompt import local_messages

KEPT = 0.5
"""Share of the selection's words that the answer must keep, unless it was asked to remove some."""
_WORD = re.compile(r"\w+")
_REMOVES = re.compile(
    r"\b(remove|delete|drop|simplif\w*|shorten|clean|inline|extract|replace|rewrite)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChange:
    """`new_text` is the whole document, or None with the reason in `note`. Times are milliseconds."""

    new_text: str | None
    note: str = ""
    generate_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTask:
    """`prompt` is final, the beginning of the answer included."""

    prompt: str
    stop: tuple[str, ...]
    max_tokens: int
    plan: DocstringPlan | None


def local_task(facts: ModelFacts, selection: Selection, instruction: str, language: str, max_tokens: int) -> LocalTask:
    """Raises `PointsmanError` when the model cannot chat or the selection is too long for it."""
    if facts.chat is None:
        raise PointsmanError(
            f"{facts.name} cannot edit: it has no chat format", remedy="set chat_model to a model that has one"
        )
    plan = plan_docstring(selection.text, instruction, language)
    if plan:
        messages, start = plan.messages()
        stop: tuple[str, ...] = (STOP,)
    else:
        messages, start = local_messages(selection, instruction, language)
        stop = (f"\n{ticks_for(selection.text)}",)
        max_tokens = max(max_tokens, estimate_tokens(selection.text) * 3 // 2)
    prompt = render_chat(facts.chat, messages, facts.special_tokens, answer_start=start)
    needed = estimate_tokens(prompt) + max_tokens
    if needed > facts.context_length:
        raise PointsmanError(
            f"{selection.end - selection.start + 1} lines are too many for {facts.name}: about {needed} tokens of "
            f"{facts.context_length}",
            remedy="select fewer lines",
        )
    return LocalTask(prompt=prompt, stop=stop, max_tokens=max_tokens, plan=plan)


async def change_locally(
    host: HostApi,
    facts: ModelFacts,
    selection: Selection,
    instruction: str,
    language: str,
    max_tokens: int,
    workspace: str = "",
) -> LocalChange:
    """One greedy try and, when nothing came of it, one drawn at a low temperature with a fixed seed."""
    task = local_task(facts, selection, instruction, language, max_tokens)
    spent = 0.0
    change = LocalChange(new_text=None)
    for sampling in (
        Sampling(max_tokens=task.max_tokens, stop=task.stop),
        Sampling(max_tokens=task.max_tokens, stop=task.stop, temperature=0.3, top_p=0.95, seed=1),
    ):
        written, finish = await _written(host, task, sampling, facts.special_tokens, workspace)
        spent += finish.prefill_ms + finish.decode_ms if finish else 0.0
        cut_off = finish is not None and finish.reason == "length"
        change = await asyncio.to_thread(_judged, task.plan, written, cut_off, selection, instruction, language)
        if change.new_text is not None:
            break
    return LocalChange(new_text=change.new_text, note=change.note, generate_ms=round(spent, 3))


async def _written(
    host: HostApi, task: LocalTask, sampling: Sampling, special_tokens: tuple[str, ...], workspace: str
) -> tuple[str, Finish | None]:
    request = GenerateRequest(prompt=task.prompt, sampling=sampling, priority=Priority.CHAT)
    text = ""
    async with aclosing(host.generate(GenerateParams(task="chat", request=request, workspace=workspace))) as stream:
        async for item in stream:
            if isinstance(item, Finish):
                return without_markers(text, special_tokens), item
            text += item.text
    return without_markers(text, special_tokens), None


def _judged(
    plan: DocstringPlan | None, written: str, cut_off: bool, selection: Selection, instruction: str, language: str
) -> LocalChange:
    base = "".join(selection.lines)
    if plan:
        body = plan.with_text(written)
        new = None if body is None else selection.replaced(body)
    elif cut_off:
        return LocalChange(new_text=None, note="the local model's answer was cut off before its end")
    else:
        ticks = ticks_for(selection.text)
        answer = f"{ticks}\n{written}\n{ticks}"
        change = new_document(answer, selection, lambda text: parses_alone(text, language))
        if change.text is None and change.reason:
            return LocalChange(new_text=None, note=f"the local model's answer was not used: {change.reason}")
        new = change.text
        if new is not None and (lost := _lost(selection, new, base, instruction)):
            return LocalChange(new_text=None, note=lost)
    if new is None:
        return LocalChange(new_text=None, note="the local model's answer held no change that could be placed")
    if new == base:
        return LocalChange(new_text=None, note="the local model gave the code back unchanged")
    if new_syntax_errors(base, new, language):
        return LocalChange(new_text=None, note="the local model's answer had syntax errors")
    return LocalChange(new_text=new)


def _lost(selection: Selection, new: str, base: str, instruction: str) -> str:
    if _REMOVES.search(instruction):
        return ""
    had = Counter(_WORD.findall(selection.text))
    gone = Counter(_WORD.findall(base)) - Counter(_WORD.findall(new))
    total = sum(had.values())
    if not total or sum(gone.values()) <= total * (1 - KEPT):
        return ""
    return f"the local model's answer dropped {sum(gone.values())} of the {total} words of the code, so it is not shown"
