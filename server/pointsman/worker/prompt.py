"""What every engine does to a prompt before its model sees it. Pure."""

from __future__ import annotations

from collections.abc import Sequence

_CUT_STEP = 256
"""A prompt that is too long loses a multiple of this, so that the next keystroke's prompt starts at the same token
and finds its prefix in the cache."""


def valid_unicode(text: str) -> str:
    """`text` with "?" for each lone surrogate: an editor's broken text can hold one, a tokenizer takes none."""
    return text.encode("utf-8", "replace").decode("utf-8")


def fit_prompt(tokens: list[int], context: int, max_tokens: int) -> list[int]:
    """The end of `tokens` that leaves room for the answer: at most half the context is kept free for it."""
    room = context - min(max_tokens, context // 2)
    if len(tokens) <= room:
        return tokens
    excess = len(tokens) - room
    cut = -(-excess // _CUT_STEP) * _CUT_STEP
    return tokens[cut if cut < len(tokens) else excess :]


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """How many tokens both start with."""
    shared = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        shared += 1
    return shared
