"""Any causal model of transformers, by its own forward pass and dynamic cache: slower than `decoder`, and for every
family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer


class Generic:
    """`Backbone` of a model from `AutoModelForCausalLM`, on one device."""

    drafts = 0
    """Not every cache here can be shortened, as after a draft that was wrong."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self.device = model.device

    def new_cache(self) -> Any:
        return DynamicCache(config=self._model.config)

    def forward(self, ids: Sequence[int], cache: Any, rows: int = 1) -> Any:
        with torch.inference_mode():
            tokens = torch.tensor([list(ids)], device=self.device)
            # To transformers 0 rows are all of them.
            out = self._model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=max(rows, 1))
            return out.logits[0, -rows:] if rows else out.logits[0, :0]

    def crop(self, cache: Any, keep: int) -> bool:
        surplus = cache.get_seq_length() - keep
        if surplus <= 0:
            return bool(surplus == 0)
        # Only a plain layer holds every token; a sliding window or a recurrent state has already let some go.
        if not all(type(layer) is DynamicLayer for layer in cache.layers):
            return False
        # transformers 5 takes the number to remove, negative; a positive length raises.
        cache.crop(-surplus)
        return bool(cache.get_seq_length() == keep)
