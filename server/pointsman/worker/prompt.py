"""What every engine does to a prompt before its model sees it. Pure."""

from __future__ import annotations

from collections.abc import Container, Sequence

_CUT_STEP = 256
"""A prompt that is too long loses a multiple of this, so that the next keystroke's prompt starts at the same token
and finds its prefix in the cache."""
_HEAD = 128
"""Tokens of its beginning that every prompt keeps: a begin-of-text token, a template's markers and the system text,
which takes 100 or so. A completion loses as many of those that are furthest from the cursor."""


def valid_unicode(text: str) -> str:
    """`text` with "?" for each lone surrogate: an editor's broken text can hold one, a tokenizer takes none."""
    return text.encode("utf-8", "replace").decode("utf-8")


def fit_prompt(tokens: list[int], context: int, max_tokens: int, markers: Container[int] = ()) -> list[int]:
    """`tokens` without some behind their head, so that room is left for the answer: at most half the context.

    The last of `markers` among those that are left out stays: it is what opens the text behind, such as the part of
    a file before a hole.
    """
    room = context - min(max_tokens, context // 2)
    if len(tokens) <= room:
        return tokens
    head = min(_HEAD, room // 4)
    excess = len(tokens) - room + 1  # one for the marker
    cut = -(-excess // _CUT_STEP) * _CUT_STEP
    end = head + (cut if head + cut < len(tokens) else excess)
    opening = next(([token] for token in reversed(tokens[head:end]) if token in markers), [])
    return [*tokens[:head], *opening, *tokens[end:]]


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens both start with."""
    shared = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        shared += 1
    return shared
