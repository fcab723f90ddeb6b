"""Train the code adapter: low-rank matrices for MiniLM from pairs of a question and the code that answers it.

    python training/retrieval/train.py PAIRS.jsonl OUT.safetensors [--minutes 45] [--init BEFORE.safetensors]

InfoNCE over the batch in both directions (van den Oord et al. 2018). A batch is made of runs of pairs of the same
package, so that most of the wrong answers in it are hard ones: code by the same authors about the same things. Takes
under an hour on two cores; the loss on packages that are held out is printed as it goes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel

from pointsman.worker.adapter import LAYERS, Recipe
from pointsman.worker.condense import condensed, in_words

_TEMPERATURE = 0.05
_RUN = 32
"""Pairs of one package that stand together in a batch."""


@dataclass(frozen=True)
class Pair:
    package: str
    query: list[int]
    code: list[int]


class LowRank(torch.nn.Module):
    """A linear layer with its pair of matrices beside it; the layer itself stays as it is."""

    def __init__(self, base: torch.nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = torch.nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.up = torch.nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + (x @ self.down.T) @ self.up.T


def attach(model: Any, rank: int, before: dict[str, torch.Tensor]) -> dict[str, LowRank]:
    """Freeze the model and put a `LowRank` around each of its blocks' linear layers, by full name."""
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
    return attached


def read_pairs(file: Path, tokenizer: Any, recipe: Recipe) -> list[Pair]:
    rows = [json.loads(line) for line in file.open(encoding="utf-8")]

    def ids(texts: list[str], longest: int) -> list[list[int]]:
        tokenizer.enable_truncation(max_length=longest)
        return [encoding.ids for encoding in tokenizer.encode_batch(texts)]

    queries = ids([in_words(row["query"]) for row in rows], recipe.query_tokens)
    codes = ids([condensed(row["code"]) for row in rows], recipe.document_tokens)
    return [Pair(row["package"], query, code) for row, query, code in zip(rows, queries, codes, strict=True)]


def batches(pairs: Sequence[Pair], size: int, seed: int) -> Iterator[list[Pair]]:
    """One epoch."""
    shuffled = random.Random(seed)
    by_package = defaultdict(list)
    for pair in pairs:
        by_package[pair.package].append(pair)
    runs = []
    for own in by_package.values():
        shuffled.shuffle(own)
        runs += [own[at : at + _RUN] for at in range(0, len(own), _RUN)]
    shuffled.shuffle(runs)
    flat = [pair for run in runs for pair in run]
    yield from (flat[at : at + size] for at in range(0, len(flat) - size + 1, size))


def embed(model: Any, rows: Sequence[Sequence[int]]) -> torch.Tensor:
    """Unit vectors, shape (len(rows), dimension): the mean of the last states."""
    width = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (width - len(row))] for row in rows])
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = model(input_ids=ids, attention_mask=mask).last_hidden_state
    weights = mask.unsqueeze(-1).float()
    return torch.nn.functional.normalize((hidden.float() * weights).sum(1) / weights.sum(1), dim=-1)


def loss_of(model: Any, batch: Sequence[Pair]) -> torch.Tensor:
    scores = embed(model, [pair.query for pair in batch]) @ embed(model, [pair.code for pair in batch]).T
    right = torch.arange(len(batch))
    entropy = torch.nn.functional.cross_entropy
    return (entropy(scores / _TEMPERATURE, right) + entropy(scores.T / _TEMPERATURE, right)) / 2


def train(model: Any, parameters: list[torch.nn.Parameter], pairs: list[Pair], held: list[Pair], options: Any) -> None:
    """Cosine schedule over the minutes given; the last of them see the smallest steps."""
    optimizer = torch.optim.AdamW(parameters, lr=options.rate, weight_decay=0.01)
    started, step, epoch, mean = time.monotonic(), 0, 0, 0.0
    while True:
        for batch in batches(pairs, options.batch, epoch):
            part = (time.monotonic() - started) / (60 * options.minutes)
            if part >= 1:
                return
            for group in optimizer.param_groups:
                group["lr"] = options.rate * min(1.0, (step + 1) / 20) * (0.5 + 0.5 * math.cos(math.pi * part))
            loss = loss_of(model, batch)
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            step += 1
            mean = 0.98 * mean + 0.02 * loss.item()
            if step % 100 == 0:
                print(
                    f"step {step}, {part:.0%}: {mean / (1 - 0.98**step):.3f}, held out {check(model, held):.3f}",
                    flush=True,
                )
        epoch += 1


def check(model: Any, held: list[Pair]) -> float:
    """Mean loss over packages that are not trained on."""
    model.eval()
    with torch.inference_mode():
        losses = [loss_of(model, batch).item() for batch in batches(held, 128, 0)][:4]
    model.train()
    return sum(losses) / max(1, len(losses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--init", type=Path, help="go on from this adapter")
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--query-tokens", type=int, default=40)
    parser.add_argument("--document-tokens", type=int, default=64)
    options = parser.parse_args()
    torch.manual_seed(0)
    recipe = Recipe(
        base_sha256=hashlib.sha256((options.model / "model.safetensors").read_bytes()).hexdigest(),
        query_tokens=options.query_tokens,
        document_tokens=options.document_tokens,
    )
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    tokenizer.no_padding()
    pairs = read_pairs(options.pairs, tokenizer, recipe)
    held_packages = {package for package in sorted({pair.package for pair in pairs}) if _is_held(package)}
    held = [pair for pair in pairs if pair.package in held_packages]
    pairs = [pair for pair in pairs if pair.package not in held_packages]
    print(f"{len(pairs)} pairs, {len(held)} held out", flush=True)
    model = AutoModel.from_pretrained(str(options.model), local_files_only=True)
    attached = attach(model, options.rank, load_file(options.init) if options.init else {})
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.05
    model.train()
    train(model, [p for p in model.parameters() if p.requires_grad], pairs, held, options)
    tensors = {
        f"{name}.{part}": getattr(both, part).detach().half()
        for name, both in attached.items()
        for part in ("down", "up")
    }
    save_file(tensors, options.out, metadata={"recipe": json.dumps(asdict(recipe), sort_keys=True)})


def _is_held(package: str) -> bool:
    return hashlib.sha256(package.encode()).digest()[0] < 8


if __name__ == "__main__":
    main()
