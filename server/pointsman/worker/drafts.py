"""Drafts of the next tokens, looked up where the last ones stood before: a model checks several in the time of one.

Code repeats itself, and what it repeats is in the prompt, of this file or of what the index found. Source: prompt
lookup decoding (A. Saxena, 2023), a draft without a second model for Leviathan et al., "Fast Inference from
Transformers via Speculative Decoding", 2023. A greedy answer stays as it is: a token is kept only if it is the model's.
"""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST, _SHORTEST = 4, 2
"""Tokens that must agree. One alone is a guess that rarely holds."""


class Drafter:
    """
    Args:
        tokens: everything so far.
        most: tokens of a draft; 0 for never any.
    """

    def __init__(self, tokens: Sequence[int], most: int) -> None:
        self._most = self._now = most
        self._tokens = list(tokens)
        self._behind: dict[tuple[int, ...], int] = {}
        """Where the tokens stand that followed such a run the last time."""
        if most:
            for end in range(_SHORTEST, len(self._tokens)):
                self._learn(end)

    def push(self, token: int) -> None:
        if self._most:
            self._learn(len(self._tokens))
            self._tokens.append(token)

    def draft(self) -> list[int]:
        """What followed the longest run that ends as the tokens do now; often nothing."""
        for size in range(_LONGEST, _SHORTEST - 1, -1):
            at = self._behind.get(tuple(self._tokens[-size:]))
            if self._now and at is not None:
                return self._tokens[at : at + self._now]
        return []

    def judged(self, drafted: int, kept: int) -> None:
        """Longer drafts after one that held, shorter after one that did not: what is wrong was computed for nothing."""
        if drafted:
            self._now = min(self._most, self._now * 2) if kept == drafted else max(1, kept)

    def _learn(self, end: int) -> None:
        """That the token at `end` follows the runs before it."""
        for size in range(_SHORTEST, min(_LONGEST, end) + 1):
            self._behind[tuple(self._tokens[end - size : end])] = end
