"""OpenAI's two APIs, chat completions and responses, which others offer as well: messages to the exact bytes that
leave, and bytes that came back to an answer.

Pure. The bytes built here are what is redacted, hashed, recorded and sent; nobody serialises them again. A reply is
read as what it may be: anything, from anybody.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pointsman.host.api import Message
from pointsman.policy.schema import Endpoint

_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Token counts are None when the endpoint stated none, or nonsense."""

    text: str
    input_tokens: int | None
    output_tokens: int | None


class Api(Protocol):
    """One API. Reading raises `ValueError` that says what is wrong with a reply, without quoting it."""

    path: str

    def body(self, endpoint: Endpoint, model: str, messages: Sequence[Message], most: int, *, stream: bool) -> bytes:
        """The request's body in UTF-8. Raises `UnicodeEncodeError` for text that is not valid Unicode."""
        ...

    def answer(self, content: bytes) -> Answer: ...

    def event(self, data: bytes, so_far: Streamed) -> str:
        """The text that one event of a stream adds; notes the usage and the end in `so_far`."""
        ...

    def streamed(self, text: str, so_far: Streamed) -> Answer:
        """The answer that a stream was. Raises `ValueError` when it broke off."""
        ...


@dataclass(slots=True)
class Streamed:
    """What is known of a streamed answer beside its text."""

    usage: Any = None
    ended: bool = False


class Chat:
    """`POST /chat/completions`."""

    path = "/chat/completions"
    _usage = ("prompt_tokens", "completion_tokens")

    def body(self, endpoint: Endpoint, model: str, messages: Sequence[Message], most: int, *, stream: bool) -> bytes:
        value: dict[str, Any] = {"model": model, "messages": _messages(messages), endpoint.limit: most}
        if stream:
            value |= {"stream": True, "stream_options": {"include_usage": True}}
        return _bytes(value)

    def answer(self, content: bytes) -> Answer:
        value = _object(content)
        try:
            text = value["choices"][0]["message"]["content"]
        except (KeyError, IndexError, TypeError):
            text = None
        return _answer(text, value.get("usage"), *self._usage)

    def event(self, data: bytes, so_far: Streamed) -> str:
        value = _object(data)
        so_far.usage = value.get("usage") or so_far.usage
        choices = value.get("choices")
        choice = choices[0] if isinstance(choices, list) and choices and isinstance(choices[0], dict) else {}
        so_far.ended = so_far.ended or choice.get("finish_reason") is not None
        delta = choice.get("delta")
        text = delta.get("content") if isinstance(delta, dict) else None
        return text if isinstance(text, str) else ""

    def streamed(self, text: str, so_far: Streamed) -> Answer:
        return _answer(_whole(text, so_far), so_far.usage, *self._usage)


class Responses:
    """`POST /responses`. Asks that nothing be kept: by default OpenAI stores what this API was asked."""

    path = "/responses"
    _usage = ("input_tokens", "output_tokens")

    def body(self, endpoint: Endpoint, model: str, messages: Sequence[Message], most: int, *, stream: bool) -> bytes:
        value: dict[str, Any] = {
            "model": model,
            "input": _messages(messages),
            "max_output_tokens": most,
            "store": False,
        }
        return _bytes(value | {"stream": True} if stream else value)

    def answer(self, content: bytes) -> Answer:
        value = _object(content)
        return _answer(_output_text(value.get("output")), value.get("usage"), *self._usage)

    def event(self, data: bytes, so_far: Streamed) -> str:
        value = _object(data)
        kind = value.get("type")
        if kind in ("response.completed", "response.incomplete"):
            response = value.get("response")
            so_far.usage = response.get("usage") if isinstance(response, dict) else None
            so_far.ended = True
        elif kind in ("response.failed", "error"):
            raise ValueError("reports a failure")
        text = value.get("delta") if kind == "response.output_text.delta" else None
        return text if isinstance(text, str) else ""

    def streamed(self, text: str, so_far: Streamed) -> Answer:
        return _answer(_whole(text, so_far), so_far.usage, *self._usage)


APIS: dict[str, Api] = {"chat": Chat(), "responses": Responses()}


def _whole(text: str, so_far: Streamed) -> str:
    if not so_far.ended:
        raise ValueError("breaks off")
    return text


def _messages(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _bytes(value: dict[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def _object(content: bytes) -> dict[str, Any]:
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")
    if _depth(value) > _DEEPEST:
        raise ValueError("is nested too deeply")
    return value


def _output_text(output: Any) -> str | None:
    """The text of all messages among what the responses API put out; None when there is none."""
    parts = [
        part.get("text")
        for item in (output if isinstance(output, list) else [])
        if isinstance(item, dict) and item.get("type") == "message" and isinstance(item.get("content"), list)
        for part in item["content"]
        if isinstance(part, dict) and part.get("type") == "output_text"
    ]
    texts = [part for part in parts if isinstance(part, str)]
    return "".join(texts) if texts else None


def _answer(text: Any, usage: Any, asked: str, answered: str) -> Answer:
    if not isinstance(text, str):
        raise ValueError("holds no text")
    clean = text.encode("utf-8", "replace").decode("utf-8")
    return Answer(text=clean, input_tokens=_count(usage, asked), output_tokens=_count(usage, answered))


def _count(usage: Any, name: str) -> int | None:
    number = usage.get(name) if isinstance(usage, dict) else None
    return number if isinstance(number, int) and not isinstance(number, bool) and number >= 0 else None


def _depth(value: Any) -> int:
    deepest, level = 0, [value]
    while level:
        deepest += 1
        level = [
            inner
            for item in level
            if isinstance(item, (dict, list))
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return deepest
