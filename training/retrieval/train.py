"""Train the code adapter: low-rank matrices for MiniLM from pairs of a question and the code that answers it.

    python training/retrieval/train.py PAIRS.jsonl OUT.safetensors [--minutes 45] [--init BEFORE.safetensors]

The loop is `pointsman.worker.lowrank`'s, a group being a package. Takes under an hour on two cores; the loss on
packages that are held out is printed as it goes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModel

from pointsman.worker.adapter import Recipe
from pointsman.worker.condense import condensed
from pointsman.worker.lowrank import Pair, Plan, attach, batches, loss_of, tensors, token_encoder, train
from pointsman_indexer.identifiers import words


def read_pairs(file: Path, tokenizer: Any, recipe: Recipe) -> list[Pair]:
    rows = [json.loads(line) for line in file.read_bytes().splitlines()]

    def ids(texts: list[str], longest: int) -> list[list[int]]:
        tokenizer.enable_truncation(max_length=longest)
        return [encoding.ids for encoding in tokenizer.encode_batch(texts)]

    queries = ids([words(row["query"]) for row in rows], recipe.query_tokens)
    codes = ids([condensed(row["code"]) for row in rows], recipe.document_tokens)
    answers: dict[tuple[int, ...], int] = {}
    return [
        Pair(row["package"], query, code, answers.setdefault(tuple(code), len(answers)))
        for row, query, code in zip(rows, queries, codes, strict=True)
    ]


def check(model: Any, held: list[Pair]) -> float:
    """Mean loss over packages that are not trained on."""
    model.eval()
    with torch.inference_mode():
        losses = [loss_of(token_encoder(model), batch).item() for batch in batches(held, 128, 0)][:4]
    model.train()
    return sum(losses) / max(1, len(losses))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="folder of all-MiniLM-L6-v2")
    parser.add_argument("--init", type=Path, help="go on from this adapter")
    parser.add_argument("--blend", type=float, default=0.5, help="with --init: share of what was learned since")
    parser.add_argument("--minutes", type=float, default=45)
    parser.add_argument("--rank", type=int, help="16 by default; with --init it is that of the adapter before")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--query-tokens", type=int, default=40)
    parser.add_argument("--document-tokens", type=int, default=64)
    options = parser.parse_args()
    if options.init and options.rank:
        parser.error("--rank goes without --init: the rank is that of the adapter before")
    torch.manual_seed(0)
    recipe = Recipe(
        base_sha256=hashlib.sha256((options.model / "model.safetensors").read_bytes()).hexdigest(),
        query_tokens=options.query_tokens,
        document_tokens=options.document_tokens,
    )
    tokenizer = Tokenizer.from_file(str(options.model / "tokenizer.json"))
    tokenizer.no_padding()
    pairs = read_pairs(options.pairs, tokenizer, recipe)
    held_packages = {package for package in sorted({pair.group for pair in pairs}) if _is_held(package)}
    held = [pair for pair in pairs if pair.group in held_packages]
    pairs = [pair for pair in pairs if pair.group not in held_packages]
    print(f"{len(pairs)} pairs, {len(held)} held out", flush=True)
    model = AutoModel.from_pretrained(str(options.model), local_files_only=True)
    before = load_file(options.init) if options.init else {}
    attached = attach(model, options.rank or 16, before)
    first = check(model, held)
    print(f"held out, before: {first:.3f}", flush=True)

    def told(step: int, part: float, mean: float) -> None:
        if step % 100 == 0:
            print(f"step {step}, {part:.0%}: {mean:.3f}, held out {check(model, held):.3f}", flush=True)

    plan = Plan(seconds=60 * options.minutes, batch=options.batch, rate=options.rate)
    train(token_encoder(model), [p for p in model.parameters() if p.requires_grad], pairs, plan, told=told)
    learned = tensors(attached)
    last = check(model, held)
    print(f"held out, after: {last:.3f}", flush=True)
    if before:
        learned = {name: _mean(before[name], after, options.blend) for name, after in learned.items()}
        for name, both in attached.items():
            both.down.data, both.up.data = learned[f"{name}.down"].float(), learned[f"{name}.up"].float()
        last = check(model, held)
        print(f"held out, mean of both: {last:.3f}", flush=True)
    if last > first:
        raise SystemExit(f"{options.out} is not written: it would be worse than what was there before")
    save_file(learned, options.out, metadata={"recipe": json.dumps(asdict(recipe), sort_keys=True)})


def _mean(before: torch.Tensor, after: torch.Tensor, share: float) -> torch.Tensor:
    """A model between the two finds what either finds (Wortsman et al., "Robust fine-tuning", 2022)."""
    return ((1 - share) * before.float() + share * after.float()).half()


def _is_held(package: str) -> bool:
    return hashlib.sha256(package.encode()).digest()[0] < 8


if __name__ == "__main__":
    main()
