"""How far texts say what a question says, token by token: late interaction (Khattab and Zaharia, "ColBERT", 2020).

A text's one vector has to stand for all that it does, and is made of its first words; here each token of the question
looks for its nearest in up to 256 of the text, in their order, and a quarter is how near the two are as wholes. That
takes some thousand times as long as a cosine, so it is for the few best hits of a search. The encoder is the one that
embeds: what it learned for means of tokens holds for the tokens too.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch

from pointsman.worker.embed import Encoder

_QUERY_TOKENS = 128
_TEXT_TOKENS = 256
_AS_A_WHOLE = 0.25
"""Share of the cosine of both vectors: of shares from 0 to 1, best for ranking and for telling what is not answered
(`bench/README.md`)."""


class Comparison:
    """One request as steps, like `Embedding`. `step()` gives a number of -1 to 1 for each text at the last one."""

    def __init__(self, encoder: Encoder, query: str, texts: Sequence[str]) -> None:
        self._encoder = encoder
        self._steps = self._run(query, texts)

    def step(self) -> list[float] | None:
        """Read a batch in each lane; None while there are more."""
        return next(self._steps)

    def _run(self, query: str, texts: Sequence[str]) -> Iterator[list[float] | None]:
        encoder = self._encoder
        [(asked, own)] = encoder.spell([query], _QUERY_TOKENS)
        read = encoder.spell(texts, _TEXT_TOKENS)
        scores = [0.0] * len(texts)
        if not any(own):
            yield scores
            return
        with torch.inference_mode():
            states, mask = encoder.states([asked])
            wanted = torch.nn.functional.normalize(states[0][torch.tensor(own, dtype=torch.bool)], dim=-1)
            whole = encoder.pooled(states, mask)[0]

        def compared(batch: Sequence[int]) -> list[float]:
            return _likeness(encoder, wanted, whole, [read[i] for i in batch])

        rounds = encoder.rounds([ids for ids, _ in read])
        for number, batches in enumerate(rounds, start=1):
            for batch, made in zip(batches, encoder.at_once(compared, batches), strict=True):
                for i, score in zip(batch, made, strict=True):
                    scores[i] = score
            if number < len(rounds):
                yield None
        yield scores


def _likeness(encoder: Encoder, wanted: Any, whole: Any, read: Sequence[tuple[list[int], list[int]]]) -> list[float]:
    """For each text the mean, over the question's tokens, of the cosine of the nearest of the text's own, and a share
    of the cosine of both as wholes."""
    with torch.inference_mode():
        states, mask = encoder.states([ids for ids, _ in read])
        own = torch.zeros_like(mask, dtype=torch.bool)
        for row, (_, flags) in enumerate(read):
            own[row, : len(flags)] = torch.tensor(flags, dtype=torch.bool)
        cosines = torch.nn.functional.normalize(states, dim=-1) @ wanted.T
        nearest = cosines.masked_fill(~own.unsqueeze(-1), -1.0).amax(dim=1).mean(dim=1)
        likeness = (1 - _AS_A_WHOLE) * nearest + _AS_A_WHOLE * (encoder.pooled(states, mask) @ whole)
        return [float(one) for one in likeness.cpu()]
