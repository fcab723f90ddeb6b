"""Learn how likely a suggestion is exactly what comes next, for each of its two origins: logistic regression.

    python -m training.completion.confidence OUT.json --packages FOLDER… [--limit N]

Lines and rests of lines of the packages are masked in a copy, as `pointsman eval completion` does; both origins answer,
and each answer teaches its own model whether it was right. There is no index; what search finds is found by words.
Packages that are learned from may be in no evaluation.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import torch

from pointsman.build import build_services
from pointsman.complete.candidates import Candidates
from pointsman.complete.confidence import NAMES
from pointsman.complete.cursor import cursor_of
from pointsman.complete.trail import Trail
from pointsman.complete.types import CompletionQuery
from pointsman.host.api import ModelParams
from pointsman.measure.completion import closing
from pointsman.measure.home import borrowed
from pointsman.measure.masks import masked
from pointsman.measure.score import answer
from pointsman.session import Snapshot
from pointsman.settings import Paths, Settings

Examples = dict[str, list[tuple[tuple[float, ...], float]]]
"""By origin: features, and 1 when the text was right."""
_STEPS = 400
_DECAY = 3.0
"""Pull of the weights towards nothing, in examples."""


class _Nothing:
    def excludes(self, relative: str) -> str | None:
        return None


async def gathered(package: Path, limit: int, folder: Path) -> Examples:
    copy = folder / "copy"
    (copy / ".git").mkdir(parents=True)
    (copy / ".git" / "HEAD").touch()
    tasks = masked(package, copy, ("line", "rest"), limit, 0, ())
    paths, settings = borrowed(Paths.resolve(), folder / "home"), Settings()
    out: Examples = {"model": [], "lookup": []}
    async with closing(build_services(paths, settings, fixed=True)) as services:
        facts = await services.host.model(ModelParams(task="completion"))
        candidates = Candidates(services.host, lambda _: _Nothing(), settings, lambda text: ())
        for task in tasks:
            path = copy / task.path
            text = task.before + task.after
            snapshot = Snapshot(uri=path.as_uri(), path=path, root=copy, language=task.language, version=1, text=text)
            # Not as while typing, where the clock ends answers.
            query = CompletionQuery(snapshot=snapshot, offset=len(task.before), automatic=False)
            made, _ = await candidates.ranked(query, cursor_of(query), facts, Trail(), sure=2.0)
            truth = answer(task.truth, task.lines)
            for one in made:
                out[one.origin].append((one.features, float(answer(one.text, task.lines) == truth)))
    return out


def learned(examples: Sequence[tuple[tuple[float, ...], float]]) -> dict[str, float]:
    x = torch.tensor([values for values, _ in examples])
    y = torch.tensor([right for _, right in examples])
    weights = torch.zeros(len(NAMES), requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=_STEPS)

    def loss() -> torch.Tensor:
        optimiser.zero_grad()
        total = torch.nn.functional.binary_cross_entropy_with_logits(x @ weights, y, reduction="sum")
        total = total + _DECAY * (weights[1:] ** 2).sum()
        total.backward()
        return total

    optimiser.step(loss)
    found: list[float] = weights.tolist()
    right = torch.sigmoid(x @ weights.detach())
    for low in (0.0, 0.1, 0.25, 0.4, 0.6, 0.8):
        inside = right >= low
        print(f"  from {low}: {int(inside.sum())} of {len(y)}, {float(y[inside].mean()):.2f} right")
    return {name: round(weight, 4) for name, weight in zip(NAMES, found, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    parser.add_argument("--packages", type=Path, nargs="+", required=True)
    parser.add_argument("--limit", type=int, default=60)
    options = parser.parse_args()
    all_of: Examples = {"model": [], "lookup": []}
    for package in options.packages:
        with tempfile.TemporaryDirectory() as folder:
            for origin, found in asyncio.run(gathered(package, options.limit, Path(folder))).items():
                all_of[origin] += found
        print(package.name, {origin: len(found) for origin, found in all_of.items()})
    weights = {}
    for origin, examples in all_of.items():
        print(origin)
        weights[origin] = learned(examples)
    options.out.write_text(json.dumps(weights, indent=1) + "\n")


if __name__ == "__main__":
    main()
