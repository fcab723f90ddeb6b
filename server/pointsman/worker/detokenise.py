"""Tokens to text one at a time, though a character may span tokens and a token's text may depend on those before it.

The sliding window is the method of Hugging Face's text-generation-inference (`decode_token`): decode a short run with
and without the newest token, and let out the difference once it ends in a whole character. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

_BROKEN = "\N{REPLACEMENT CHARACTER}"
_PATIENCE = 8
"""Tokens to wait for the rest of a character; no UTF-8 sequence is longer than 4 bytes."""


class Detokeniser:
    """Args:
    decode: text of a run of tokens.
    hidden: special tokens, which have no text.
    before: the last tokens of the prompt: some tokenizers drop the space at the start of a run.
    """

    def __init__(
        self, decode: Callable[[Sequence[int]], str], hidden: Collection[int], before: Sequence[int] = ()
    ) -> None:
        self._decode = decode
        self._hidden = hidden
        self._ids = list(before)
        self._start = 0
        """First token of the window; those before it can no longer change how the newest one reads."""
        self._shown = len(self._ids)
        """Tokens whose text went out."""

    def push(self, token: int) -> str:
        """The text that `token` completes; "" for a special token or the first part of a character."""
        if token in self._hidden:
            return ""
        self._ids.append(token)
        before = self._decode(self._ids[self._start : self._shown])
        after = self._decode(self._ids[self._start :])
        if after.endswith(_BROKEN) and len(self._ids) - self._shown < _PATIENCE:
            return ""
        self._start, self._shown = self._shown, len(self._ids)
        return after[len(before) :]

    def flush(self) -> str:
        """What is left at the end, without a character that never became whole."""
        before = self._decode(self._ids[self._start : self._shown])
        after = self._decode(self._ids[self._start :])
        self._start = self._shown = len(self._ids)
        return after[len(before) :].rstrip(_BROKEN)
