"""A short forward pass captured as a CUDA graph: launching its hundreds of kernels one by one takes longer than running
them (for NF4, more than the multiplications).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from pointsman.worker.decoder import Decoder
    from pointsman.worker.static_cache import StaticCache

WIDTHS = (1, 8)
"""Tokens of a pass that is captured: one to write, a few to check a draft or to read what was typed."""

_WARM_UPS = 2
"""Passes before the capture, in which libraries set themselves up."""


class Captured:
    """One pass of `width` tokens over one cache, at any position."""

    def __init__(self, decoder: Decoder, cache: StaticCache, width: int) -> None:
        device = decoder.device
        self._width = width
        self._tokens = torch.zeros(width, dtype=torch.long, device=device)
        self._start = torch.full((), cache.length, dtype=torch.long, device=device)
        self._steps = torch.arange(width, device=device)
        self._graph = torch.cuda.CUDAGraph()

        def run() -> Any:
            place = decoder.anywhere(cache, self._start + self._steps)
            return decoder.logits(decoder.hidden(self._tokens, place))

        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            # What they write stands behind the sequence, where the next pass writes over it.
            for _ in range(_WARM_UPS):
                run()
        torch.cuda.current_stream().wait_stream(side)
        with torch.cuda.graph(self._graph):
            self._logits = run()

    def __call__(self, ids: Sequence[int], start: int) -> Any:
        """Logits of `ids` at `start`, (width, vocabulary), good until the next call; rows past `ids` mean nothing."""
        padded = [*ids, *[0] * (self._width - len(ids))]
        self._tokens.copy_(torch.tensor(padded))
        self._start.fill_(start)
        self._graph.replay()
        return self._logits
