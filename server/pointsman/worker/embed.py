"""Texts to unit vectors: the last hidden states pooled over real tokens, then L2 norm (Reimers and Gurevych,
"Sentence-BERT", 2019). In small batches of similar length, a few a step, so that typing need not wait for an index.

On a CPU each core has a batch of its own: two threads that share the small matrices of such a model wait for each other
more than they gain (1.5 times one thread where two batches at once reach 1.9 times).

Knows a transformers encoder and its tokenizer; nothing of processes or of where texts come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch

from pointsman.worker.condense import condensed
from pointsman.worker.messages import Pooling
from pointsman.worker.prompt import valid_unicode
from pointsman_indexer.identifiers import words

T = TypeVar("T")
_TOKENS_PER_STEP = {"cpu": 2048, "cuda": 16_384}
"""Tokens of one step, about a fifth of a second on a small CPU."""
_SHARED = 256
"""Tokens below which a batch is left whole, for all cores together."""


class Encoder:
    """An embedding model.

    Args:
        max_tokens: of a document, special tokens included; the rest is cut off.
        query_tokens: the same of a query.
        as_words: whether texts are read as `condense` leaves them, which an adapter's model is trained on.
        lanes: batches that run at once; on a CPU one for each of torch's threads when it is None.
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
        lanes: int | None = None,
    ) -> None:
        self._model = model
        self._tokenizer = tokenizer
        self._query_prefix = query_prefix
        self._pooling = pooling
        self._most = {True: query_tokens or max_tokens, False: max_tokens}
        self._as_words = as_words
        self._pad = model.config.pad_token_id or 0
        self._step_tokens = _TOKENS_PER_STEP.get(model.device.type, _TOKENS_PER_STEP["cpu"])
        self.lanes = lanes or (torch.get_num_threads() if model.device.type == "cpu" else 1)
        self._threads = ThreadPoolExecutor(self.lanes, initializer=lambda: torch.set_num_threads(1))
        self.dimension = int(model.config.hidden_size)
        tokenizer.no_padding()

    def encode(self, texts: Sequence[str], *, query: bool) -> list[list[int]]:
        prefix = self._query_prefix if query else ""
        if self._as_words:
            texts = [words(text) if query else condensed(text) for text in texts]
        return [e.ids for e in self._encodings([prefix + text for text in texts], self._most[query])]

    def spell(self, texts: Sequence[str], most: int) -> list[tuple[list[int], list[int]]]:
        """Of each text in its own order, of words alone for a model that reads code so, at most so many tokens, and 1
        where one is of the text and not the model's own."""
        most = min(most, getattr(self._model.config, "max_position_embeddings", None) or most)
        encodings = self._encodings([words(text) if self._as_words else text for text in texts], most)
        return [(e.ids, [1 - special for special in e.special_tokens_mask]) for e in encodings]

    def _encodings(self, texts: Sequence[str], most: int) -> Any:
        self._tokenizer.enable_truncation(max_length=most)
        return self._tokenizer.encode_batch([valid_unicode(text) for text in texts], add_special_tokens=True)

    def rounds(self, rows: Sequence[Sequence[int]]) -> list[list[list[int]]]:
        """Indexes into `rows` in batches of about equal work, longest first; a round is what runs at once."""
        batches = self._batches(rows)
        return [batches[at : at + self.lanes] for at in range(0, len(batches), self.lanes)]

    def _batches(self, rows: Sequence[Sequence[int]]) -> list[list[int]]:
        """As many as fill all lanes."""
        order = sorted(range(len(rows)), key=lambda i: len(rows[i]), reverse=True)
        total = sum(map(len, rows))
        lanes = self.lanes if total > _SHARED else 1
        steps = -(-total // self._step_tokens)
        share = total / max(1, steps * lanes)
        out: list[list[int]] = []
        before, of_share = 0, -1
        for i in order:
            place = int((before + len(rows[i]) / 2) / share) if share else 0
            # What is padded to the first one's length must stay small too.
            if place != of_share or (len(out[-1]) + 1) * len(rows[out[-1][0]]) > self._step_tokens:
                out.append([])
                of_share = place
            out[-1].append(i)
            before += len(rows[i])
        return out

    def at_once(self, work: Callable[[T], Any], batches: Sequence[T]) -> list[Any]:
        """`work` on each batch, in a lane of its own."""
        if len(batches) == 1:
            return [work(batches[0])]
        return list(self._threads.map(work, batches))

    def forward(self, rows: Sequence[Sequence[int]]) -> Any:
        """float32 tensor on the CPU, shape (len(rows), dimension), each row of unit length."""
        with torch.inference_mode():
            return self.pooled(*self.states(rows)).cpu()

    def pooled(self, hidden: Any, mask: Any) -> Any:
        """What `states` gives as unit vectors, shape (texts, dimension)."""
        return torch.nn.functional.normalize(_pool(hidden, mask, self._pooling), dim=-1)

    def states(self, rows: Sequence[Sequence[int]]) -> tuple[Any, Any]:
        """The last hidden states, float32 of shape (len(rows), longest row, dimension), and 1 where a row has a token;
        both where the model is."""
        width = max(len(r) for r in rows)
        ids = torch.full((len(rows), width), self._pad, dtype=torch.long)
        mask = torch.zeros((len(rows), width), dtype=torch.long)
        for i, row in enumerate(rows):
            ids[i, : len(row)] = torch.tensor(list(row), dtype=torch.long)
            mask[i, : len(row)] = 1
        device = self._model.device
        with torch.inference_mode():
            hidden = self._model(input_ids=ids.to(device), attention_mask=mask.to(device)).last_hidden_state
            return hidden.float(), mask.to(device)


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
        """Embed a batch in each lane; None while there are more."""
        return next(self._steps)

    def _run(self, texts: Sequence[str], query: bool) -> Iterator[Any | None]:
        rows = self._encoder.encode(texts, query=query)
        out = torch.zeros((len(rows), self._encoder.dimension), dtype=torch.float32)
        rounds = self._encoder.rounds(rows)
        for number, batches in enumerate(rounds, start=1):
            made = self._encoder.at_once(self._encoder.forward, [[rows[i] for i in batch] for batch in batches])
            for batch, vectors in zip(batches, made, strict=True):
                out[batch] = vectors
            if number < len(rounds):
                yield None
        if self._head is not None and len(rows):
            with torch.inference_mode():
                out = self._head(out)
        yield out
