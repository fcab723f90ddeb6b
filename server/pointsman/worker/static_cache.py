"""Keys and values of one sequence in memory that stays where it is: nothing is copied for a token, and to shorten it is
to say so. transformers' dynamic cache copies all of itself for every token. It grows by doubling, as a list does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

_SMALLEST = 512
"""Tokens. A longer sequence has room for the next power of two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    layers: int
    heads: int
    """Of keys and values, which several heads of queries may share."""
    width: int
    """Numbers of a head."""


class StaticCache:
    """`keys` and `values`: (layers, heads, room, width), of which the first `length` positions hold something."""

    def __init__(self, shape: Shape, dtype: Any, device: Any) -> None:
        self._shape = shape
        self._how = {"dtype": dtype, "device": device}
        self.length = 0
        self.room = 0
        self.keys: Any = None
        self.values: Any = None
        self.graphs: dict[int, Any] = {}
        """What was captured over this memory, by tokens a pass; gone when the memory moves."""
        self.make_room(_SMALLEST)

    def make_room(self, tokens: int) -> None:
        """For `tokens` more than there are."""
        needed = self.length + tokens
        if needed <= self.room:
            return
        room = max(_SMALLEST, 1 << (needed - 1).bit_length())
        size = (self._shape.layers, self._shape.heads, room, self._shape.width)
        # Zeros, for a masked position is multiplied by nought and must not be infinite.
        keys, values = torch.zeros(size, **self._how), torch.zeros(size, **self._how)
        if self.length:
            keys[:, :, : self.length] = self.keys[:, :, : self.length]
            values[:, :, : self.length] = self.values[:, :, : self.length]
        self.keys, self.values, self.room = keys, values, room
        self.graphs.clear()
