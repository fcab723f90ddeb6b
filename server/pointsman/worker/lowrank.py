"""Training low-rank matrices for an encoder: InfoNCE over a batch in both directions (van den Oord et al. 2018).

The one loop behind the adapter that ships and what is learned of a user's own repository. A batch is made of runs of
pairs of one group, so that most of the wrong answers in it are hard ones: code by the same authors about the same
things. Knows nothing of where pairs come from.
"""

from __future__ import annotations

import math
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from pointsman.worker.adapter import LAYERS

_TEMPERATURE = 0.05
_RUN = 32
"""Pairs of one group that stand together in a batch."""
_DROPOUT = 0.05
_WARM_UP = 20
"""Steps until the full rate is reached."""
_ALIKE = 0.98
"""Cosine from which a piece of code is taken for a copy of another."""


@dataclass(frozen=True)
class Pair:
    """A question and its answer, as whatever the encoder that is trained takes."""

    group: str
    query: Any
    code: Any
    answer: int
    """Equal numbers mean the same answer, so that neither question counts the other's as wrong."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A cosine schedule that ends after so many seconds or epochs, whichever comes first."""

    seconds: float
    batch: int
    rate: float
    epochs: int = 1_000_000
    seed: int = 0


Encode = Callable[[Sequence[Any]], Any]
"""Queries or codes of pairs to unit vectors of shape (items, dimension)."""


class LowRank(torch.nn.Module):  # type: ignore[misc]  # torch is not looked into
    """A linear layer with its pair of matrices beside it; the layer itself stays as it is."""

    def __init__(self, base: Any, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = torch.nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.up = torch.nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: Any) -> Any:
        return self.base(x) + (x @ self.down.T) @ self.up.T


def attach(model: Any, rank: int, before: Mapping[str, Any]) -> dict[str, LowRank]:
    """Freeze the model and put a `LowRank` around each of its blocks' linear layers, by full name.

    Args:
        before: tensors of an adapter to go on from, whose rank is taken; empty to begin anew.
    """
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    attached = {}
    for number in range(len(model.encoder.layer)):
        for layer in LAYERS:
            name = f"encoder.layer.{number}.{layer}"
            parent, _, last = name.rpartition(".")
            both = LowRank(model.get_submodule(name), rank)
            if before:
                both.down.data, both.up.data = before[f"{name}.down"].float(), before[f"{name}.up"].float()
            setattr(model.get_submodule(parent), last, both)
            attached[name] = both
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = _DROPOUT
    return attached


def tensors(attached: Mapping[str, LowRank]) -> dict[str, Any]:
    """What an adapter's file holds."""
    return {
        f"{name}.{part}": getattr(both, part).detach().half().contiguous()
        for name, both in attached.items()
        for part in ("down", "up")
    }


def batches(pairs: Sequence[Pair], size: int, seed: int) -> Iterator[list[Pair]]:
    """One epoch; what does not fill a batch is left for another one, unless it is all there is."""
    shuffled = random.Random(seed)
    by_group = defaultdict(list)
    for pair in pairs:
        by_group[pair.group].append(pair)
    runs = []
    for own in by_group.values():
        shuffled.shuffle(own)
        runs += [own[at : at + _RUN] for at in range(0, len(own), _RUN)]
    shuffled.shuffle(runs)
    flat = [pair for run in runs for pair in run]
    size = min(size, len(flat))
    yield from (flat[at : at + size] for at in range(0, len(flat) - size + 1, size))


def embed(model: Any, rows: Sequence[Sequence[int]]) -> Any:
    """Unit vectors, shape (len(rows), dimension): the mean of the last states."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1).float()
    return torch.nn.functional.normalize((hidden.float() * weights).sum(1) / weights.sum(1), dim=-1)


def token_encoder(model: Any) -> Encode:
    """For pairs of token ids."""
    return lambda rows: embed(model, rows)


def loss_of(encode: Encode, batch: Sequence[Pair], others: Any = None) -> Any:
    """Args:
    others: vectors, shape (n, dimension), of more answers that are wrong, but for those like the right one.
    """
    queries, codes = encode([pair.query for pair in batch]), encode([pair.code for pair in batch])
    numbers = torch.tensor([pair.answer for pair in batch])
    same = (numbers[:, None] == numbers[None, :]) & ~torch.eye(len(batch), dtype=torch.bool)
    scores = (queries @ codes.T / _TEMPERATURE).masked_fill(same, float("-inf"))
    right = torch.arange(len(batch))
    entropy = torch.nn.functional.cross_entropy
    back = entropy(scores.T, right)
    if others is not None:
        alike = codes.detach() @ others.detach().T > _ALIKE
        scores = torch.cat([scores, (queries @ others.T / _TEMPERATURE).masked_fill(alike, float("-inf"))], dim=1)
    return (entropy(scores, right) + back) / 2


def train(
    encode: Encode,
    parameters: Sequence[Any],
    pairs: Sequence[Pair],
    plan: Plan,
    *,
    others: Callable[[], Any] = lambda: None,
    told: Callable[[int, float, float], None] = lambda *_: None,
) -> int:
    """Train `parameters`, which `encode` uses; the number of steps. `told` gets step, share of the way, mean loss."""
    optimizer = torch.optim.AdamW(parameters, lr=plan.rate, weight_decay=0.01)
    most = plan.epochs * max(1, len(pairs) // plan.batch)
    started, step, epoch, mean = time.monotonic(), 0, 0, 0.0
    while True:
        for batch in batches(pairs, plan.batch, plan.seed + epoch):
            part = max((time.monotonic() - started) / plan.seconds, step / most)
            if part >= 1:
                return step
            for group in optimizer.param_groups:
                group["lr"] = plan.rate * min(1.0, (step + 1) / _WARM_UP) * (0.5 + 0.5 * math.cos(math.pi * part))
            loss = loss_of(encode, batch, others())
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            step += 1
            mean = 0.98 * mean + 0.02 * loss.item()
            told(step, part, mean / (1 - 0.98**step))
        epoch += 1
