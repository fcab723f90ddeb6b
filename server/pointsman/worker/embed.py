"""Texts to unit vectors: the last hidden states pooled over real tokens, then L2 norm (Reimers and Gurevych,
"Sentence-BERT", 2019). In small batches of similar length, one batch a step, so that typing need not wait for an index.

Knows a transformers encoder and its tokenizer; nothing of processes or of where texts come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch

from pointsman.worker.condense import condensed, in_words
from pointsman.worker.messages import Pooling
from pointsman.worker.prompt import valid_unicode

_TOKENS_PER_BATCH = {"cpu": 2048, "cuda": 16_384}
"""Padded tokens of one batch: the work of one step, about a fifth of a second on a small CPU."""


class Encoder:
    """An embedding model.

    Args:
        max_tokens: of a document, special tokens included; the rest is cut off.
        query_tokens: the same of a query.
        as_words: whether texts are read as `condense` leaves them, which an adapter's model is trained on.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        max_tokens: int,
        query_tokens: int | None = None,
        query_prefix: str = "",
        pooling: Pooling = "mean",
        as_words: bool = False,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._query_prefix = query_prefix
        self._pooling = pooling
        self._most = {True: query_tokens or max_tokens, False: max_tokens}
        self._as_words = as_words
        self._pad = model.config.pad_token_id or 0
        self._batch_tokens = _TOKENS_PER_BATCH.get(model.device.type, _TOKENS_PER_BATCH["cpu"])
        self.dimension = int(model.config.hidden_size)
        tokenizer.no_padding()

    def encode(self, texts: Sequence[str], *, query: bool) -> list[list[int]]:
        prefix = self._query_prefix if query else ""
        if self._as_words:
            texts = [in_words(text) if query else condensed(text) for text in texts]
        clean = [valid_unicode(prefix + text) for text in texts]
        self._tokenizer.enable_truncation(max_length=self._most[query])
        return [e.ids for e in self._tokenizer.encode_batch(clean, add_special_tokens=True)]

    def batches(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """Indexes into `rows`, longest first, so many at a time that the padded batch stays small."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
        out: list[list[int]] = []
        while order:
            size = max(1, self._batch_tokens // max(1, len(rows[order[0]])))
            out.append(order[:size])
            order = order[size:]
        return out

    def forward(self, rows: Sequence[Sequence[int]]) -> Any:
        """float32 tensor on the CPU, shape (len(rows), dimension), each row of unit length."""
        width = max(len(r) for r in rows)
        ids = torch.full((len(rows), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(list(row), dtype=torch.long)
            mask[i, : len(row)] = 1
        device = self._model.device
        with torch.inference_mode():
            hidden = self._model(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
            pooled = _pool(hidden.float(), mask.to(device), self._pooling)
            return torch.nn.functional.normalize(pooled, dim=-1).cpu()


def _pool(hidden: Any, mask: Any, pooling: Pooling) -> Any:
    """Shapes (texts, tokens, dimension) and (texts, tokens), padded on the right, to (texts, dimension)."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        last = (mask.sum(dim=1) - 1).clamp(min=0)
        return hidden[torch.arange(len(hidden), device=hidden.device), last]
    weights = mask.unsqueeze(-1)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


class Embedding:
    """One request as steps. `step()` gives the finished tensor, shape (texts, dimension), at the last one.

    Args:
        head: applied to the finished vectors.
    """

    def __init__(
        self, encoder: Encoder, texts: Sequence[str], *, query: bool, head: Callable[[Any], Any] | None = None
    ) -> None:
        self._encoder = encoder
        self._head = head
        self._steps = self._run(texts, query)

    def step(self) -> Any | None:
        """Embed one batch; None while there are more."""
        return next(self._steps)

    def _run(self, texts: Sequence[str], query: bool) -> Iterator[Any | None]:
        rows = self._encoder.encode(texts, query=query)
        out = torch.zeros((len(rows), self._encoder.dimension), dtype=torch.float32)
        batches = self._encoder.batches(rows)
        for at, batch in enumerate(batches, start=1):
            out[batch] = self._encoder.forward([rows[i] for i in batch])
            if at < len(batches):
                yield None
        if self._head is not None and len(rows):
            with torch.inference_mode():
                out = self._head(out)
        yield out
