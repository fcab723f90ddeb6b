"""Token healing: the first tokens of an answer are held to a given text, however the vocabulary cuts it.

A prompt that ends inside a token asks a model for something that it has never seen; so the caller leaves that end out,
and the answer must begin with it. Source: G. Lundberg, "The Art of Prompt Design: Prompt Boundaries and Token Healing",
2023. Here a token is allowed when its text agrees with what is still to be written, whether shorter or longer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Sequence
from typing import Any

import torch

from pointsman.models.base import Sampling


class Vocabulary:
    """The text of every token, in an order that finds all that begin alike.

    Args:
        texts: by token id; "" for those that must not be chosen here, such as parts of characters.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._sorted = sorted((text, id_) for id_, text in enumerate(texts) if text)
        self._ids: dict[str, list[int]] = {}
        for text, id_ in self._sorted:
            self._ids.setdefault(text, []).append(id_)
        self.texts = texts

    def agreeing(self, wanted: str, *, solid: bool) -> list[int]:
        """Tokens that are a beginning of `wanted` or begin with it; with `solid` the latter must go on with something
        to see, or end there."""
        shorter = [id_ for end in range(1, len(wanted)) for id_ in self._ids.get(wanted[:end], ())]
        longer = []
        for text, id_ in self._sorted[bisect_left(self._sorted, (wanted,)) :]:
            if not text.startswith(wanted):
                break
            if not (solid and text[len(wanted) :][:1].isspace()):
                longer.append(id_)
        return shorter + longer


class Beginning:
    """How much of `Sampling.begin` and `solid` is still to be written in one answer."""

    def __init__(self, sampling: Sampling, vocabulary: Vocabulary | None, stop_ids: Collection[int]) -> None:
        self._left = sampling.begin
        self._solid = sampling.solid
        self._vocabulary = vocabulary
        self._stop_ids = list(stop_ids)

    @property
    def is_written(self) -> bool:
        return self._vocabulary is None or not (self._left or self._solid)

    def held(self, logits: Any) -> Any:
        """`logits` with all others at minus infinity; unchanged where no token agrees."""
        assert self._vocabulary is not None
        allowed = self._vocabulary.agreeing(self._left, solid=self._solid)
        if not allowed:
            return logits
        kept = torch.full_like(logits, float("-inf"))
        ids = torch.tensor(allowed, device=logits.device)
        kept[ids] = logits[ids]
        kept[self._stop_ids] = float("-inf")
        return kept

    def wrote(self, token: int) -> None:
        assert self._vocabulary is not None
        text = self._vocabulary.texts[token]
        if len(text) > len(self._left) or not self._left:
            self._solid = False
        self._left = self._left[len(text) :]
