"""One generation as a sequence of small steps, so that a scheduler can stop or interleave it between any two.

prompt → tokens, cut to the context → prefix cache: keep what is common, forward the rest in slices → token by token
→ text without special tokens, broken UTF-8 or stop strings. Not `generate()` of transformers: that cannot be paused.

Knows a model only as `LanguageModel`, so it runs on any backend and on a toy. Knows nothing of processes.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pointsman.models.base import FinishReason, Sampling
from pointsman.worker.detokenise import Detokeniser
from pointsman.worker.drafts import Drafter
from pointsman.worker.healing import Beginning, Vocabulary
from pointsman.worker.prompt import common_prefix, fit_prompt
from pointsman.worker.sampling import Chooser
from pointsman.worker.slices import Slices
from pointsman.worker.stops import StopFilter

_LOOK_BEHIND = 4
"""Prompt tokens that the first token's text is read after."""


class Backbone(Protocol):
    """What computes. `cache` is its own object, whose length is the tokens forwarded."""

    device: Any
    drafts: int
    """Tokens that a pass checks beside the one it was made for, where that costs little; 0 for none."""

    def new_cache(self) -> Any: ...

    def forward(self, ids: Sequence[int], cache: Any, rows: int = 1) -> Any:
        """Append `ids` to `cache`; logits of the last `rows`, shape (rows, vocabulary), good until the next call."""
        ...

    def crop(self, cache: Any, keep: int) -> bool:
        """Shorten `cache` to its first `keep` tokens; False when this kind of cache cannot be shortened."""
        ...


class LanguageModel(Backbone, Protocol):
    """What the engine needs of a model."""

    context: int
    stop_ids: frozenset[int]
    hidden_ids: frozenset[int]
    """Special tokens, which never become text."""

    def encode(self, text: str) -> list[int]: ...

    def decode(self, ids: Sequence[int]) -> str: ...

    def vocabulary(self) -> Vocabulary:
        """Made at the first call, which takes a moment."""
        ...


@dataclass(slots=True)
class PrefixCache:
    """Keys and values of the last prompt and answer of one priority, for the next one that starts alike."""

    tokens: list[int] = field(default_factory=list)
    """What `cache` begins with; behind it may stand a draft that was wrong, or of which nobody knows."""
    cache: Any = None
    slices: Slices = field(default_factory=Slices)

    def reuse(self, model: LanguageModel, prompt: Sequence[int]) -> int:
        """Cut down to what `prompt` shares; how many tokens of it need no forward pass."""
        # The last token is always forwarded: its logits are what comes next.
        keep = min(common_prefix(self.tokens, prompt), max(len(prompt) - 1, 0))
        if self.cache is None or not model.crop(self.cache, keep):
            self.cache, keep = model.new_cache(), 0
        del self.tokens[keep:]
        return keep

    def drop(self) -> None:
        self.tokens, self.cache = [], None


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    text: str
    logprob: float
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    reason: FinishReason
    prompt_tokens: int
    reused_tokens: int
    tokens: int
    queue_ms: float
    prefill_ms: float
    decode_ms: float


class Generation:
    """One request. `step()` until it returns an `End`; dropping the object in between cancels it."""

    def __init__(self, model: LanguageModel, prefix: PrefixCache, prompt: str, sampling: Sampling) -> None:
        self._model = model
        self._prefix = prefix
        self._prompt = prompt
        self._sampling = sampling
        self._arrived = time.perf_counter()
        self._prefill = 0.0
        self._decode = 0.0
        self._steps = self._run()

    def step(self) -> list[Text | End]:
        """Forward one slice or one token; what that made, often nothing."""
        try:
            return next(self._steps)
        except Exception:
            # A pass that broke off leaves the cache in an unknown state.
            self._prefix.drop()
            raise

    def _run(self) -> Iterator[list[Text | End]]:
        model, prefix = self._model, self._prefix
        started = time.perf_counter()
        prompt = fit_prompt(model.encode(self._prompt), model.context, self._sampling.max_tokens, model.hidden_ids)
        reused = prefix.reuse(model, prompt)
        logits: Any = None
        at = reused
        while at < len(prompt):
            part = prompt[at : at + prefix.slices.size()]
            at += len(part)
            # Only the last token's logits are of use, and the vocabulary's matrix is a large part of a small model.
            logits = model.forward(part, prefix.cache, rows=int(at == len(prompt)))
            prefix.tokens.extend(part)
            took = time.perf_counter() - started
            prefix.slices.took(len(part), took)
            self._prefill += took
            if at < len(prompt):
                yield []
            started = time.perf_counter()

        chooser = Chooser(self._sampling, model.device)
        writer = Detokeniser(model.decode, model.hidden_ids, prompt[-_LOOK_BEHIND:])
        stops = StopFilter(self._sampling.stop)
        healing = self._sampling.begin or self._sampling.solid
        beginning = Beginning(self._sampling, model.vocabulary() if healing else None, model.stop_ids)
        # Never past the context, where positions are outside what the model was trained on.
        allowed = min(self._sampling.max_tokens, model.context - len(prompt)) if prompt else 0
        drafter = Drafter(prompt, model.drafts if self._sampling.temperature <= 0 else 0)
        draft: list[int] = []
        held = 0  # tokens of the draft that the model has chosen too
        reason: FinishReason = "length"
        tokens, logprob, behind = 0, 0.0, 0
        while tokens < allowed:
            row = logits[held]
            if beginning.is_written:
                token, score = chooser.choose(row)
            else:
                token, score = chooser.choose(beginning.held(row.float()))
                beginning.wrote(token)
            tokens += 1
            if token in model.stop_ids:
                reason = "stop"
                break
            logprob, behind = logprob + score, behind + 1
            made: list[Text | End] = []
            if out := stops.feed(writer.push(token)):
                made.append(Text(text=out, logprob=logprob, tokens=behind))
                logprob, behind = 0.0, 0
            self._decode += time.perf_counter() - started
            yield made
            started = time.perf_counter()
            if stops.stopped:
                reason = "stop"
                break
            drafter.push(token)
            if held < len(draft) and token == draft[held]:
                held += 1
                prefix.tokens.append(token)
            elif tokens < allowed:
                drafter.judged(len(draft), held)
                if held < len(draft):
                    model.crop(prefix.cache, len(prefix.tokens))
                draft, held = drafter.draft()[: allowed - tokens - 1], 0
                logits = model.forward([token, *draft], prefix.cache, rows=1 + len(draft))
                prefix.tokens.append(token)

        rest = stops.feed(writer.flush())
        rest += stops.flush()
        last: list[Text | End] = [Text(text=rest, logprob=logprob, tokens=behind)] if rest else []
        self._decode += time.perf_counter() - started
        waited = time.perf_counter() - self._arrived - self._prefill - self._decode
        last.append(
            End(
                reason=reason,
                prompt_tokens=len(prompt),
                reused_tokens=reused,
                tokens=tokens,
                queue_ms=max(0.0, waited) * 1000,
                prefill_ms=self._prefill * 1000,
                decode_ms=self._decode * 1000,
            )
        )
        yield last
