"""Learn the ranking weights: a softmax over each query's candidates, so that the right ones come first.

    python -m training.retrieval.rank OUT.json --model FOLDER --packages FOLDER… [--questions FILE --sources FOLDER]

Packages give docstring queries, with the docstrings blanked; questions in plain words, of which only those marked `dev`
are used, are asked of the sources as they are. Neither may be in an evaluation. The other intents have the weights of
plain words but for what makes them.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch
from training.retrieval.local import LocalEmbedder, blanked_copy

from pointsman_indexer import Index
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.intent import understand
from pointsman_indexer.rank import FEATURES, features
from pointsman_indexer.search import Search
from pointsman_indexer.terms import content_terms

_DEPTH = 100
_PULL = 0.002
"""How strongly weights are held at `_HELD`."""
_RARE = {"named": 2.0, "named_loosely": 0.2, "file_named": 1.0, "framed": 4.0}
"""What a query in plain words hardly ever has: too few cases to learn from."""
_HELD = {**_RARE, "test": -0.8, "example": -0.5, "documentation": -0.3, "foreign": -0.8}
"""Weights in doubt. Packages as they are installed have no tests, examples or copies of others' code."""
_ASKED = ("function", "method", "class")
_INTENTS = {
    "words": {},
    "name": {"named": 4.0},
    "path": {"file_named": 4.0, "test": 0.0, "example": 0.0, "documentation": 0.0, "foreign": 0.0},
    "error": {"test": -0.3},
}
"""What sets the other intents apart from plain words."""


Question = tuple[str, str, int, int]
"""Query, path, first and last line of the answer."""
Group = tuple[torch.Tensor, torch.Tensor]
"""Features of a query's candidates, shape (candidates, features), and which of them are right."""


def groups(root: Path, embedder: LocalEmbedder, questions: list[Question]) -> Iterator[Group]:
    with tempfile.TemporaryDirectory() as folder, Index.open(root, Path(folder), embedder) as index:
        index.update()
        search = Search(root, index._catalog, index._stores.live, Exclusions(root))
        for query, path, first, last in questions:
            vector = embedder.embed([query], kind="query")[0]
            asked = content_terms(query)
            found = search.candidates(query, understand(query), vector, _DEPTH)
            right = torch.tensor([_answers(one.chunk, path, first, last) for one in found])
            if right.any() and not right.all():
                yield torch.tensor([features(one, asked) for one in found]), right


def _answers(one: Chunk, path: str, first: int, last: int) -> bool:
    return one.path == path and one.start_line <= last and one.end_line >= first


def learn(found: list[Group]) -> tuple[dict[str, float], float]:
    """Weights by feature, and the share of queries whose best candidate is right."""
    held = torch.tensor([_HELD.get(name, 0.0) for name in FEATURES])
    weights = held.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([weights], lr=0.05)
    for _ in range(400):
        losses = [
            torch.logsumexp(values @ weights, 0) - torch.logsumexp((values @ weights)[right], 0)
            for values, right in found
        ]
        loss = torch.stack(losses).mean() + _PULL * (weights - held).square().sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    learned = weights.detach()
    first = sum(bool(right[int((values @ learned).argmax())]) for values, right in found) / len(found)
    return {name: round(float(w), 3) for name, w in zip(FEATURES, learned, strict=True)} | _RARE, first


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="folder of the embedder's files")
    parser.add_argument("--packages", type=Path, nargs="*", default=[])
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--sources", type=Path, help="holds a folder for each package of the questions")
    parser.add_argument("--most", type=int, default=150, help="docstring queries of a package")
    options = parser.parse_args()
    torch.manual_seed(0)
    embedder = LocalEmbedder("code-minilm", options.model)
    by_words: list[Group] = []
    for package in options.packages:
        with tempfile.TemporaryDirectory() as copy:
            tasks = [t for t in blanked_copy(package, Path(copy)) if t.query and t.kind in _ASKED]
            tasks = random.Random(0).sample(tasks, min(options.most, len(tasks)))
            by_words += groups(Path(copy), embedder, [(t.query, t.path, t.start_line, t.end_line) for t in tasks])
    if options.questions:
        rows = [json.loads(line) for line in options.questions.open(encoding="utf-8")]
        for package in sorted({row["package"] for row in rows}):
            own = [
                (row["query"], row["path"], row["start_line"], row["end_line"])
                for row in rows
                if row["package"] == package and row["split"] == "dev"
            ]
            by_words += list(groups(options.sources / package, embedder, own)) * 3
    with torch.enable_grad():
        weights, first = learn(by_words)
    print(f"{len(by_words)} queries, the best candidate is right for {first:.1%}")
    print(json.dumps(weights, indent=2))
    kinds = {kind: {**weights, **own} for kind, own in _INTENTS.items()}
    options.out.write_text(json.dumps(kinds, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
