"""A transformers model and its tokenizer as the engine's `LanguageModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers.cache_utils import DynamicCache, DynamicLayer

from pointsman.worker.healing import Vocabulary
from pointsman.worker.prompt import valid_unicode

_ANCHOR = "x"
"""Some tokenizers drop a space at the start of a text, so every token is read behind this one."""


class Transformer:
    """A causal language model. `context`, `stop_ids` and `hidden_ids` as in `LanguageModel`.

    Args:
        model: from `AutoModelForCausalLM`, on one device.
        tokenizer: a `tokenizers.Tokenizer`, which adds no special tokens of its own accord here.
    """

    def __init__(
        self, model: Any, tokenizer: Any, *, context: int, stop_ids: frozenset[int], hidden_ids: frozenset[int]
    ) -> None:
        self.model = model
        self.tokenizer = tokenizer
        self.context = context
        self.device = model.device
        self.stop_ids = stop_ids
        self.hidden_ids = hidden_ids
        self._vocabulary: Vocabulary | None = None

    def encode(self, text: str) -> list[int]:
        ids: list[int] = self.tokenizer.encode(valid_unicode(text), add_special_tokens=False).ids
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        text: str = self.tokenizer.decode(list(ids), skip_special_tokens=False)
        return text

    def vocabulary(self) -> Vocabulary:
        if self._vocabulary is None:
            anchor = self.encode(_ANCHOR)
            behind = len(self.decode(anchor))
            size = self.tokenizer.get_vocab_size(with_added_tokens=True)
            read = self.tokenizer.decode_batch([[*anchor, id_] for id_ in range(size)], skip_special_tokens=False)
            texts = [text[behind:] for text in read]
            self._vocabulary = Vocabulary(
                ["" if id_ in self.hidden_ids or "\ufffd" in text else text for id_, text in enumerate(texts)]
            )
        return self._vocabulary

    def new_cache(self) -> Any:
        return DynamicCache(config=self.model.config)

    def forward(self, ids: Sequence[int], cache: Any) -> Any:
        with torch.inference_mode():
            tokens = torch.tensor([list(ids)], device=self.device)
            out = self.model(input_ids=tokens, past_key_values=cache, use_cache=True, logits_to_keep=1)
            return out.logits[0, -1]

    def crop(self, cache: Any, keep: int) -> bool:
        # Only a plain layer holds every token; a sliding window or a recurrent state has already let some go.
        if not all(type(layer) is DynamicLayer for layer in cache.layers):
            return False
        surplus = cache.get_seq_length() - keep
        if surplus > 0:
            # transformers 5 takes the number to remove, negative; a positive length raises.
            cache.crop(-surplus)
        return bool(cache.get_seq_length() == keep)
