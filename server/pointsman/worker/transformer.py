"""A model's forward pass and its tokenizer as the engine's `LanguageModel`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pointsman.worker.engine import Backbone
from pointsman.worker.healing import Vocabulary
from pointsman.worker.prompt import valid_unicode

_ANCHOR = "x"
"""Some tokenizers drop a space at the start of a text, so every token is read behind this one."""


class Transformer:
    """A causal language model. `context`, `stop_ids` and `hidden_ids` as in `LanguageModel`.

    Args:
        tokenizer: a `tokenizers.Tokenizer`, which adds no special tokens of its own accord here.
    """

    def __init__(
        self, backbone: Backbone, tokenizer: Any, *, context: int, stop_ids: frozenset[int], hidden_ids: frozenset[int]
    ) -> None:
        self.backbone = backbone
        self.tokenizer = tokenizer
        self.context = context
        self.device = backbone.device
        self.drafts = backbone.drafts
        self.stop_ids = stop_ids
        self.hidden_ids = hidden_ids
        self.new_cache = backbone.new_cache
        self.forward = backbone.forward
        self.crop = backbone.crop
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
