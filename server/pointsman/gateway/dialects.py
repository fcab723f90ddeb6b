"""What two kinds of inference server are asked and how their streams read: llama.cpp's own API, and OpenAI's
`/v1/completions`, which vLLM, llama.cpp and others speak. A hole goes to llama.cpp's `/infill`, or as a prompt with a
`suffix`. Pure: bodies out, events in; no connection.

A field that is missing or of the wrong type in a reply is a broken reply, never a crash and never quoted.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from pointsman.errors import EngineError
from pointsman.gateway.infill import Hole
from pointsman.models.base import FinishReason, Sampling

OwnKind = Literal["llama.cpp", "openai"]

_END_FIELDS = ["content", "stop_type", "tokens_predicted", "tokens_evaluated", "timings"]


@dataclass(slots=True, kw_only=True)
class Totals:
    """What a stream's events add up to."""

    reason: FinishReason | None = None
    """None until the server says how the answer ended."""
    prompt_tokens: int = 0
    reused_tokens: int = 0
    tokens: int = 0
    prefill_ms: float = 0.0
    decode_ms: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event. `logprob` sums those tokens that the server gave a probability for; `tokens` counts them."""

    text: str
    ids: tuple[int, ...] = ()
    logprob: float = 0.0
    tokens: int = 0


class Dialect(Protocol):
    """One kind of server."""

    path: str
    heals: bool
    """Whether `Sampling.begin` and `solid` can be asked for."""
    fill_path: str
    """Where holes go."""

    def fill(self, hole: Hole, sampling: Sampling) -> dict[str, Any]:
        """The body for a hole, which the server puts between its model's own markers."""
        ...

    def body(self, prompt: str | Sequence[int], sampling: Sampling, *, slot: int | None = None) -> dict[str, Any]: ...

    def read(self, data: str, totals: Totals) -> Event | None:
        """One event's data; adds to `totals`. None for an event without text. Raises `EngineError`."""
        ...


class LlamaCpp:
    """`POST /completion` of llama.cpp's server."""

    path = "/completion"
    heals = True
    fill_path = "/infill"

    def fill(self, hole: Hole, sampling: Sampling) -> dict[str, Any]:
        return self.body("", sampling) | {
            "input_prefix": hole.before,
            "input_suffix": hole.after,
            "input_extra": [{"filename": path, "text": text} for path, text in hole.others],
        }

    def body(self, prompt: str | Sequence[int], sampling: Sampling, *, slot: int | None = None) -> dict[str, Any]:
        out: dict[str, Any] = {
            "prompt": prompt if isinstance(prompt, str) else list(prompt),
            "n_predict": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "min_p": 0.0,
            # The torch engine's order, and none of the server's other defaults.
            "samplers": ["temperature", "top_k", "top_p"],
            "stop": list(sampling.stop),
            "n_probs": 1,
            "return_tokens": True,
            "cache_prompt": True,
            "stream": True,
            # The last event would otherwise repeat the whole prompt.
            "response_fields": _END_FIELDS,
        }
        if sampling.begin or sampling.solid:
            out["grammar"] = _grammar(sampling)
        if sampling.seed is not None:
            out["seed"] = sampling.seed % 2**32
        if slot is not None:
            out["id_slot"] = slot
        return out

    def read(self, data: str, totals: Totals) -> Event | None:
        event = _object(data)
        if "stop_type" in event:
            timings = event.get("timings") or {}
            totals.reason = "length" if event["stop_type"] == "limit" else "stop"
            totals.prompt_tokens = _count(event, "tokens_evaluated")
            totals.tokens = _count(event, "tokens_predicted")
            totals.reused_tokens = _count(timings, "cache_n")
            totals.prefill_ms, totals.decode_ms = _number(timings, "prompt_ms"), _number(timings, "predicted_ms")
        known = _list(event.get("completion_probabilities"))
        ids = tuple(i for i in _list(event.get("tokens")) if isinstance(i, int))
        return _event(event.get("content"), [_number(p, "logprob") for p in known if isinstance(p, dict)], ids)


class OpenAICompletions:
    """`POST /v1/completions`; the base URL ends in `/v1`."""

    path = fill_path = "/completions"
    heals = False

    def __init__(self, model: str) -> None:
        self._model = model

    def fill(self, hole: Hole, sampling: Sampling) -> dict[str, Any]:
        return self.body(hole.before, sampling) | {"suffix": hole.after}

    def body(self, prompt: str | Sequence[int], sampling: Sampling, *, slot: int | None = None) -> dict[str, Any]:
        out: dict[str, Any] = {
            "model": self._model,
            "prompt": prompt if isinstance(prompt, str) else list(prompt),
            "max_tokens": sampling.max_tokens,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "logprobs": 1,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        if sampling.stop:
            # OpenAI's limit is four; the adapter looks for all of them itself anyway.
            out["stop"] = list(sampling.stop[:4])
        if sampling.seed is not None:
            out["seed"] = sampling.seed % 2**31
        return out

    def read(self, data: str, totals: Totals) -> Event | None:
        event = _object(data)
        usage = event.get("usage")
        if isinstance(usage, dict):
            totals.prompt_tokens, totals.tokens = _count(usage, "prompt_tokens"), _count(usage, "completion_tokens")
            details = usage.get("prompt_tokens_details")
            totals.reused_tokens = _count(details, "cached_tokens") if isinstance(details, dict) else 0
        choices = _list(event.get("choices"))
        if not choices or not isinstance(choices[0], dict):
            return None
        choice = choices[0]
        if choice.get("finish_reason") is not None:
            totals.reason = "length" if choice["finish_reason"] == "length" else "stop"
        return _event(choice.get("text"), _logprobs(choice.get("logprobs")), ())


def _grammar(sampling: Sampling) -> str:
    """llama.cpp's notation for: the beginning, something to see where that is asked for, then anything."""
    begin = "".join(f"\\U{ord(char):08X}" for char in sampling.begin)
    first = r"[^ \t\r\n]" if sampling.solid else ""
    return f'root ::= "{begin}" {first} rest\nrest ::= [^\\x00]*\n'


def _logprobs(value: Any) -> list[float]:
    """The older shape is a list of numbers, the newer a list of objects."""
    if not isinstance(value, dict):
        return []
    newer = [_number(t, "logprob") for t in _list(value.get("content")) if isinstance(t, dict)]
    return newer or [float(x) for x in _list(value.get("token_logprobs")) if isinstance(x, (int, float))]


def _event(text: Any, logprobs: list[float], ids: tuple[int, ...]) -> Event | None:
    if not isinstance(text, str):
        text = ""
    if not text and not logprobs and not ids:
        return None
    return Event(text=text, ids=ids, logprob=sum(logprobs), tokens=len(logprobs))


def _object(data: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise EngineError("the model server sent something that is not JSON") from error
    if not isinstance(value, dict) or "error" in value:
        raise EngineError("the model server reported an error")
    return value


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any, key: str) -> float:
    found = value.get(key) if isinstance(value, dict) else None
    return float(found) if isinstance(found, (int, float)) else 0.0


def _count(value: Any, key: str) -> int:
    return max(0, int(_number(value, key)))
