"""The chat-completions format: messages to the exact bytes that leave, and bytes that came back to an answer.

Pure. The bytes built here are what is redacted, hashed, recorded and sent; nobody serialises them again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pointsman.host.api import Message

PATH = "/chat/completions"
_DEEPEST = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Token counts are None when the endpoint stated none, or nonsense."""

    text: str
    input_tokens: int | None
    output_tokens: int | None


def body(model: str, messages: Sequence[Message], max_tokens: int) -> bytes:
    """The request's body in UTF-8. Raises `UnicodeEncodeError` for text that is not valid Unicode."""
    value = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in messages],
        "max_completion_tokens": max_tokens,
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8")


def answer(content: bytes) -> Answer:
    """Read a reply. Raises `ValueError` that says what is wrong with it, without quoting it."""
    try:
        value = json.loads(content)
    except (ValueError, RecursionError):
        raise ValueError("is not JSON") from None
    if _depth(value) > _DEEPEST:
        raise ValueError("is nested too deeply")
    try:
        text = value["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError):
        text = None
    if not isinstance(text, str):
        raise ValueError("holds no text")
    usage = value.get("usage")
    return Answer(
        text=text.encode("utf-8", "replace").decode("utf-8"),
        input_tokens=_count(usage, "prompt_tokens"),
        output_tokens=_count(usage, "completion_tokens"),
    )


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
