"""Learn the ranking: a softmax over each query's candidates, so that the right ones come first.

    python -m training.retrieval.rank OUT.json --model FOLDER --packages FOLDER… --questions FILE --sources FOLDER

Packages give docstring queries, whole and cut to keywords, with the documentation blanked; they teach the ranking of
descriptions. Questions in plain words, of which those marked `train` or `dev` are used, are asked of the sources as
they are; their ranking starts from that of descriptions and is held near it, for they are few. Each is learned with a
search by meaning and without one. No question that is learned from may be in an evaluation, nor a package among what
the adapter was trained on: it would be trusted too much. `dev` is about packages of which `test` asks other questions.
"""

from __future__ import annotations

import argparse
import copy
import json
import random
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from training.retrieval.local import LocalEmbedder, blanked_copy

from pointsman_indexer import Index
from pointsman_indexer.chunk import Chunk
from pointsman_indexer.evaluate.tasks import Task, file_tasks
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.intent import understand
from pointsman_indexer.pairs import Documented
from pointsman_indexer.rank import FEATURES, LEARNED, features
from pointsman_indexer.search import Search
from pointsman_indexer.terms import content_terms, telling_words

_DEPTH = 100
_UNITS = 8
_PULL = 0.1
"""How strongly the ranking of questions is held at that of descriptions."""
_LONGEST_ANSWER = 120
_BY_MEANING = ("dense", "dense_rank")
_FOLDS = 4
_ASKED = ("function", "method", "class")
_LEARNED_FROM = ("train", "dev")


@dataclass(frozen=True, slots=True)
class Group:
    """A query's candidates: features, shape (candidates, len(LEARNED)), and which of them are right."""

    package: str
    values: torch.Tensor
    right: torch.Tensor
    by_words: torch.Tensor
    """Which of them are found without a search by meaning."""


Question = tuple[str, Callable[[Chunk], bool]]
"""What is asked, and whether a chunk answers it."""


def groups(root: Path, embedder: LocalEmbedder, questions: Sequence[Question], package: str) -> Iterator[Group]:
    own = [FEATURES.index(name) for name in LEARNED]
    with tempfile.TemporaryDirectory() as folder, Index.open(root, Path(folder), embedder) as index:
        index.update()
        search = Search(root, index._catalog, index._stores.live, Exclusions(root))
        for query, answers in questions:
            vector = embedder.embed([query], kind="query")[0]
            asked = content_terms(query)
            intent = understand(query)
            found = search.candidates(query, intent, vector, _DEPTH)
            values = torch.tensor([features(one, asked, intent.thing) for one in found])[:, own]
            right = torch.tensor([answers(one.chunk) for one in found])
            yield Group(package, values, right, torch.tensor([one.lexical_rank is not None for one in found]))


class Ranker(torch.nn.Module):
    """Features, shape (…, len(LEARNED)), to scores; see `pointsman_indexer.rank.Network`."""

    def __init__(self, mean: torch.Tensor, deviation: torch.Tensor) -> None:
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.linear = torch.nn.Linear(len(LEARNED), 1, bias=False)
        self.units = torch.nn.Linear(len(LEARNED), _UNITS)
        self.worth = torch.nn.Linear(_UNITS, 1, bias=False)
        torch.nn.init.zeros_(self.worth.weight)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        normal = (values - self.mean) / self.deviation
        lifted = torch.nn.functional.relu(self.units(normal))
        return (self.linear(normal) + self.worth(lifted)).squeeze(-1)

    def written(self) -> dict[str, Any]:
        """As `weights.json` has it: the normal form of the features folded into the weights."""
        linear = (self.linear.weight / self.deviation)[0].tolist()
        units = self.units.weight / self.deviation
        bias = (self.units.bias - units @ self.mean).tolist()
        rows = zip(self.worth.weight[0].tolist(), bias, units.tolist(), strict=True)
        return {
            "linear": _named(linear),
            "units": [{"worth": round(worth, 4), "bias": round(b, 4), "weights": _named(w)} for worth, b, w in rows],
        }


def _named(row: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 4) for name, value in zip(LEARNED, row, strict=True)}


Packed = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Values, right and there, padded to the longest group."""


def packed(found: Sequence[Group], *, meaning: bool) -> Packed:
    """The groups that something can be learned from; without `meaning`, as if there were no embeddings."""
    cut = [(one.values, one.right) if meaning else _by_words(one) for one in found]
    usable = [(values, right) for values, right in cut if right.any() and not right.all()]
    longest = max(len(right) for _, right in usable)
    values = torch.zeros(len(usable), longest, len(LEARNED))
    right, there = (torch.zeros(len(usable), longest, dtype=torch.bool) for _ in range(2))
    for number, (own, answers) in enumerate(usable):
        values[number, : len(own)], right[number, : len(own)], there[number, : len(own)] = own, answers, True
    return values, right, there


def _by_words(one: Group) -> tuple[torch.Tensor, torch.Tensor]:
    values = one.values[one.by_words].clone()
    values[:, [LEARNED.index(name) for name in _BY_MEANING]] = 0
    return values, one.right[one.by_words]


def loss_of(ranker: Ranker, values: torch.Tensor, right: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
    scores = ranker(values).masked_fill(~there, float("-inf"))
    return (scores.logsumexp(1) - scores.masked_fill(~right, float("-inf")).logsumexp(1)).mean()


def learn(data: Packed, epochs: int = 40, batch: int = 64) -> Ranker:
    torch.manual_seed(0)
    flat = data[0][data[2]]
    ranker = Ranker(flat.mean(0), flat.std(0).clamp(min=1e-3))
    optimizer = torch.optim.AdamW(ranker.parameters(), lr=5e-3, weight_decay=1e-3)
    steps = epochs * -(-len(data[0]) // batch)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1 - step / steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(data[0])).split(batch):
            loss = loss_of(ranker, *(part[rows] for part in data))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return ranker


def learn_near(start: Ranker, data: Packed) -> Ranker:
    ranker = copy.deepcopy(start)
    held = [parameter.detach().clone() for parameter in ranker.parameters()]
    optimizer = torch.optim.Adam(ranker.parameters(), lr=0.01)
    for _ in range(100):
        moved = sum(((now - then) ** 2).sum() for now, then in zip(ranker.parameters(), held, strict=True))
        loss = loss_of(ranker, *data) + _PULL * moved
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return ranker


def figures(ranker: Ranker, found: Sequence[Group], *, meaning: bool) -> str:
    """MRR@10 and Recall@5; an answer that is among no candidates counts as missed."""
    ranks = []
    with torch.inference_mode():
        for one in found:
            values, right = (one.values, one.right) if meaning else _by_words(one)
            places = right[ranker(values).argsort(descending=True)].nonzero() if len(right) else right
            ranks.append(int(places[0]) if len(places) else 10)
    return f"MRR@10 {sum(1 / (1 + r) for r in ranks if r < 10) / len(ranks):.3f}, " + (
        f"Recall@5 {sum(r < 5 for r in ranks) / len(ranks):.3f} (n={len(ranks)})"
    )


def held_out(start: Ranker, found: Sequence[Group], *, meaning: bool) -> Iterator[str]:
    """Figures on packages that were not learned from, for each fold of them."""
    packages = sorted({one.package for one in found})
    for fold in range(_FOLDS):
        out = set(packages[fold::_FOLDS])
        ranker = learn_near(start, packed([one for one in found if one.package not in out], meaning=meaning))
        yield figures(ranker, [one for one in found if one.package in out], meaning=meaning)


def described(packages: Sequence[Path], embedder: LocalEmbedder, most: int) -> Iterator[Group]:
    for package in packages:
        with tempfile.TemporaryDirectory() as bare:
            asked: dict[str, list[Documented]] = defaultdict(list)
            for one in blanked_copy(package, Path(bare)):
                if one.kind in _ASKED:
                    asked[one.query].append(one)
            questions = [(query, _is_one_of(own)) for query, own in sorted(asked.items())]
            chance = random.Random(0)
            picked = chance.sample(questions, min(most, len(questions)))
            brief = [(keywords(query, chance), answers) for query, answers in picked[::2]]
            yield from groups(Path(bare), embedder, [*picked, *brief], package.name)


def keywords(query: str, chance: random.Random) -> str:
    """Two or three words of a description, in their order: what is typed by someone in a hurry."""
    words = telling_words(query)
    places = sorted(chance.sample(range(len(words)), min(len(words), chance.choice((2, 3)))))
    return " ".join(words[place] for place in places)


def _is_one_of(definitions: Sequence[Documented]) -> Callable[[Chunk], bool]:
    """A class is answered by what says what it is, not by each of its methods."""
    names = {(one.path, one.symbol) for one in definitions}
    return lambda chunk: (chunk.path, chunk.symbol) in names or any((chunk.path, own) in names for own in chunk.names)


def asked(questions: Path, sources: Path, embedder: LocalEmbedder) -> Iterator[Group]:
    rows = [json.loads(line) for line in questions.read_text("utf-8").splitlines()]
    rows = [row for row in rows if row["split"] in _LEARNED_FROM]
    for package in sorted({row["package"] for row in rows}):
        mine = [row for row in rows if row["package"] == package]
        with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as own:
            own.writelines(json.dumps(row) + "\n" for row in mine)
            own.flush()
            tasks = file_tasks(Path(own.name), len(rows))
        yield from groups(sources / package, embedder, [(task.query, _overlaps(task)) for task in tasks], package)


def _overlaps(task: Task) -> Callable[[Chunk], bool]:
    places = [place for answer in task.answers for place in answer]
    return lambda chunk: (
        chunk.end_line - chunk.start_line < _LONGEST_ANSWER
        and any(
            chunk.path == place.path and chunk.start_line <= place.end_line and chunk.end_line >= place.start_line
            for place in places
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--model", type=Path, required=True, help="folder of the embedder's files")
    parser.add_argument("--packages", type=Path, nargs="+", required=True)
    parser.add_argument("--questions", type=Path, required=True)
    parser.add_argument("--sources", type=Path, required=True, help="holds a folder for each package of the questions")
    parser.add_argument("--most", type=int, default=150, help="docstring queries of a package")
    options = parser.parse_args()
    embedder = LocalEmbedder("code-minilm", options.model)
    by_description = list(described(options.packages, embedder, options.most))
    by_question = list(asked(options.questions, options.sources, embedder))
    learned: dict[str, dict[str, Any]] = {"words": {}, "question": {}}
    for name, meaning in (("dense", True), ("lexical", False)):
        words = learn(packed(by_description, meaning=meaning))
        question = learn_near(words, packed(by_question, meaning=meaning))
        learned["words"][name], learned["question"][name] = words.written(), question.written()
        print(f"{name}: descriptions {figures(words, by_description, meaning=meaning)}", flush=True)
        for line in held_out(words, by_question, meaning=meaning):
            print(f"{name}: questions on packages held out {line}", flush=True)
    options.out.write_text(json.dumps(learned, indent=1) + "\n")


if __name__ == "__main__":
    main()
