"""Where the tokens of a pass stand in a cache: their rotations, what they may look at, where they are kept."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from pointsman.worker.static_cache import StaticCache


class Place(Protocol):
    """Where a pass's tokens stand, in one cache."""

    cos: Any
    """(tokens, 1, width)"""
    sin: Any
    mask: Any
    """(query heads of a group x tokens, positions), True where a row may look; None where it may everywhere."""

    def keep(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        """Store (tokens, heads, width) of a layer; all keys and values to look at, (heads, positions, width)."""
        ...


class Appended:
    """Behind everything that the cache holds."""

    def __init__(self, cache: StaticCache, cos: Any, sin: Any, group: int) -> None:
        self.cos, self.sin = cos, sin
        self._cache = cache
        count = cos.shape[0]
        self._end = cache.length + count
        self.mask = None
        if count > 1:
            mask = torch.ones((count, self._end), dtype=torch.bool, device=cos.device).tril(cache.length)
            self.mask = mask.repeat(group, 1)

    def keep(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        start, end, cache = self._cache.length, self._end, self._cache
        cache.keys[layer, :, start:end] = keys.transpose(0, 1)
        cache.values[layer, :, start:end] = values.transpose(0, 1)
        return cache.keys[layer, :, :end], cache.values[layer, :, :end]


class Anywhere:
    """At positions that only the device knows: all of the cache is looked at, under a mask."""

    def __init__(self, cache: StaticCache, positions: Any, cos: Any, sin: Any, group: int) -> None:
        self.cos, self.sin = cos[positions], sin[positions]
        self._cache, self._positions = cache, positions
        mask = torch.arange(cache.room, device=positions.device)[None] <= positions[:, None]
        self.mask = mask.repeat(group, 1)

    def keep(self, layer: int, keys: Any, values: Any) -> tuple[Any, Any]:
        kept_keys, kept_values = self._cache.keys[layer], self._cache.values[layer]
        kept_keys.index_copy_(1, self._positions, keys.transpose(0, 1))
        kept_values.index_copy_(1, self._positions, values.transpose(0, 1))
        return kept_keys, kept_values
