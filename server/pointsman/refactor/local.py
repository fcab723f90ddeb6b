"""A change made by the local model: a docstring and tests by ways of their own, anything else as a rewritten
selection, one file after the other, and all of them or none.

Small models lose code that they were to keep. An answer that lost too much of it, or that changed code where only
documentation or type hints were asked for, is thrown away, and said so.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal

from pointsman.errors import PointsmanError
from pointsman.host.api import GenerateParams, HostApi, ModelFacts
from pointsman.models.base import Finish, GenerateRequest, Priority, Sampling
from pointsman.models.card import ChatTemplate
from pointsman.models.prompting import estimate_tokens, render_chat, ticks_for, unbroken, without_markers
from pointsman.refactor.answer import new_document
from pointsman.refactor.bare import bare
from pointsman.refactor.blocks import Placed
from pointsman.refactor.changes import Changes
from pointsman.refactor.checks import new_syntax_errors, parses_alone
from pointsman.refactor.docstring import STOP, DocstringPlan, documented_already, plan_docstring
from pointsman.refactor.lines import Selection, split_lines
from pointsman.refactor.local_tests import plan_tests, untested
from pointsman.refactor.promise import breach, can_be_kept, promised
from pointsman.refactor.prompt import local_messages
from pointsman.refactor.work import Chosen, Work

KEPT = 0.5
"""Share of the selection's words that the answer must keep, unless it was asked to remove some."""
_WORD = re.compile(r"\w+")
_REMOVES = re.compile(
    r"\b(remove|delete|drop|simplif\w*|shorten|clean|inline|extract|replace|rewrite)\b", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalChange:
    """What came of it; `notes` say why nothing did, or what to look at. Times are milliseconds."""

    changes: Changes
    notes: tuple[str, ...] = ()
    generate_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalTask:
    """`prompt` is final, the beginning of the answer included. `judge` makes the new text of an answer, which was cut
    off or not; without a text it says why."""

    kind: Literal["part", "new"]
    index: int
    """Into the work's parts or new files."""
    prompt: str
    stop: tuple[str, ...]
    max_tokens: int
    judge: Callable[[str, bool], Placed]
    remark: str = ""
    """What the user should know of a text that was used."""


def local_tasks(facts: ModelFacts, work: Work, max_tokens: int) -> list[LocalTask]:
    """One for each file that is to change. Parses code, so call it in a thread.

    Raises `PointsmanError` when the model cannot do it: it has no chat format, or there is too much code for it.
    """
    if facts.chat is None:
        raise PointsmanError(
            f"{facts.name} cannot edit: it has no chat format", remedy="set chat_model to a model that has one"
        )
    if any(part.read_only for part in work.parts):
        plan = plan_tests(work)
        if plan is None:
            why, remedy = untested(work)
            raise PointsmanError(f"{facts.name} writes tests for {why}", remedy=remedy)
        messages, start = plan.messages()
        prompt = render_chat(facts.chat, messages, facts.special_tokens, answer_start=start)
        _fits(prompt, max_tokens, facts)
        return [
            LocalTask(
                kind=plan.kind,
                index=plan.index,
                prompt=prompt,
                stop=(f"\n{plan.fence}",),
                max_tokens=max_tokens,
                judge=plan.judged,
                remark="a small model wrote these tests and nothing ran them: look at what they expect",
            )
        ]
    if work.creates:
        raise PointsmanError(f"{facts.name} makes no new files", remedy="ask a closed model, by policy")
    return [
        _task(facts, facts.chat, index, part, work.instruction, max_tokens) for index, part in enumerate(work.parts)
    ]


def _task(
    facts: ModelFacts, chat: ChatTemplate, index: int, part: Chosen, instruction: str, max_tokens: int
) -> LocalTask:
    selection, language = part.selection, part.snapshot.language
    if name := documented_already(selection.text, instruction, language):
        raise PointsmanError(f"{name} has a docstring already", remedy="ask to rewrite it, or name what has none")
    promise = promised(instruction, language)
    if promise and not can_be_kept(promise, part.snapshot.text, language):
        asked, where = " and ".join(sorted(promise)), language or "a file of no known language"
        raise PointsmanError(
            f"{facts.name} writes no {asked} in {where}: whether the code stays the same could not be told",
            remedy="ask a closed model, by policy",
        )
    plan = plan_docstring(selection.text, instruction, language)
    if plan:
        messages, start = plan.messages()
        stop: tuple[str, ...] = (STOP,)
    else:
        messages, start = local_messages(selection, instruction, language)
        stop = (f"\n{ticks_for(selection.text)}",)
        max_tokens = max(max_tokens, estimate_tokens(selection.text) * 3 // 2)
    prompt = render_chat(chat, messages, facts.special_tokens, answer_start=start)
    _fits(prompt, max_tokens, facts)
    return LocalTask(
        kind="part",
        index=index,
        prompt=prompt,
        stop=stop,
        max_tokens=max_tokens,
        judge=lambda written, cut_off: _judged(plan, written, cut_off, selection, instruction, language),
    )


def _fits(prompt: str, max_tokens: int, facts: ModelFacts) -> None:
    needed = estimate_tokens(prompt) + max_tokens
    if needed > facts.context_length:
        raise PointsmanError(
            f"this is too much code for {facts.name}: about {needed} tokens of {facts.context_length}",
            remedy="select fewer lines",
        )


async def change_locally(host: HostApi, facts: ModelFacts, work: Work, max_tokens: int) -> LocalChange:
    """For each file one greedy try and, when nothing came of it, one drawn at a low temperature with a fixed seed.

    A file of which nothing came ends it, and nothing changes: half a rename is worse than none.

    Raises as `local_tasks`, before any model is asked.
    """
    tasks = await asyncio.to_thread(local_tasks, facts, work, max_tokens)
    changes = Changes()
    notes: list[str] = []
    spent = 0.0
    for task in tasks:
        placed = Placed(text=None)
        for temperature in (0.0, 0.3):
            sampling = Sampling(max_tokens=task.max_tokens, stop=task.stop)
            if temperature:
                sampling = replace(sampling, temperature=temperature, top_p=0.95, seed=1)
            written, finish = await _written(host, task, sampling, str(work.root or ""))
            spent += finish.prefill_ms + finish.decode_ms if finish else 0.0
            text = without_markers(written, facts.special_tokens)
            cut_off = text != written or (finish is not None and finish.reason == "length")
            if task.kind == "part":
                text = unbroken(text, work.parts[task.index].selection.text, facts.special_tokens)
            placed = await asyncio.to_thread(task.judge, text, cut_off)
            if placed.text is not None:
                break
        if placed.text is None:
            several = len(tasks) > 1
            where = f"in {work.parts[task.index].snapshot.relative} " if several else ""
            others = "; the files change together or not at all" if several else ""
            return LocalChange(
                changes=Changes(), notes=(f"{where}{placed.reason}{others}",), generate_ms=round(spent, 3)
            )
        (changes.documents if task.kind == "part" else changes.files)[task.index] = placed.text
        notes += [task.remark] if task.remark else []
    return LocalChange(changes=changes, notes=tuple(notes), generate_ms=round(spent, 3))


async def _written(host: HostApi, task: LocalTask, sampling: Sampling, workspace: str) -> tuple[str, Finish | None]:
    request = GenerateRequest(prompt=task.prompt, sampling=sampling, priority=Priority.CHAT)
    text = ""
    async with aclosing(host.generate(GenerateParams(task="chat", request=request, workspace=workspace))) as stream:
        async for item in stream:
            if isinstance(item, Finish):
                return text, item
            text += item.text
    return text, None


def _judged(
    plan: DocstringPlan | None, written: str, cut_off: bool, selection: Selection, instruction: str, language: str
) -> Placed:
    base = "".join(selection.lines)
    if plan:
        body = plan.with_text(written)
        new = None if body is None else selection.replaced(body)
    elif cut_off:
        return Placed(text=None, reason="the local model's answer was cut off before its end")
    else:
        ticks = ticks_for(selection.text)
        change = new_document(f"{ticks}\n{written}\n{ticks}", selection, lambda text: parses_alone(text, language))
        if change.text is None and change.reason:
            return Placed(text=None, reason=f"the local model's answer was not used: {change.reason}")
        new = change.text
        if new is not None and (lost := _lost(selection, new, language, instruction)):
            return Placed(text=None, reason=lost)
    if new is None:
        return Placed(text=None, reason="the local model's answer held no change that could be placed")
    if new == base:
        return Placed(text=None, reason="the local model gave the code back unchanged")
    if new_syntax_errors(base, new, language):
        return Placed(text=None, reason="the local model's answer had syntax errors")
    if wrong := breach(instruction, base, new, language):
        return Placed(text=None, reason=f"the local model's answer {wrong}")
    return Placed(text=new)


def _lost(selection: Selection, new: str, language: str, instruction: str) -> str:
    """Why the answer keeps too little of the code; what is said in comments and docstrings is none."""
    if _REMOVES.search(instruction):
        return ""
    base = _code("".join(selection.lines), language)
    had = _words("".join(split_lines(base)[selection.start - 1 : selection.end]))
    gone = _words(base) - _words(_code(new, language))
    total = had.total()
    if not total or gone.total() <= total * (1 - KEPT):
        return ""
    return f"the local model's answer dropped {gone.total()} of the {total} words of the code, so it is not shown"


def _code(text: str, language: str) -> str:
    code = bare(text, language)
    return text if code is None else code


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text))
