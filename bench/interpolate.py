"""What the repository's own text is worth to a model as a cache, token by token: p = (1 - w c) p_model + w c p_cache.

    python -m bench.interpolate SOURCES --models ~/.local/share/pointsman/models [--model smollm2-135m] [--limit 30]

SOURCES holds a folder for each package, as its wheel unpacks. Lines are masked as by `pointsman eval completion`; the
cache votes like the pipeline's lookup, but over the model's tokens, in the document and ten files near it, and c is its
share of all votes. Beside it the model alone (w = 0), what lookup finds alone, and the pipeline's rule, which takes the
one of the two that it has more confidence in. Prints a JSON object; exact match and similarity in per cent, and paired
gains over the model alone with 95 % intervals. Idea: Kuhn & De Mori, "A Cache-Based Natural Language Model for Speech
Recognition", 1990; Khandelwal et al., "kNN-LM", 2020.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from pointsman.complete.clean import clean
from pointsman.complete.confidence import Evidence
from pointsman.complete.context import Budget, window
from pointsman.complete.corpus import Corpus
from pointsman.complete.cursor import cursor_of
from pointsman.complete.lexemes import Lexed, length_of_match
from pointsman.complete.lookup import Source, look_up
from pointsman.complete.prompt import build_prompt
from pointsman.complete.ranking import Candidate, by_confidence, evidence_of
from pointsman.complete.scope import Scope, within
from pointsman.complete.types import CompletionQuery
from pointsman.measure.masks import masked
from pointsman.measure.score import figures, gain
from pointsman.measure.task import Task
from pointsman.models.base import Sampling
from pointsman.models.catalogue import load_catalogue
from pointsman.session import Snapshot
from pointsman.worker.engine import Generation, PrefixCache, Text
from pointsman.worker.link import generator_spec
from pointsman.worker.load import load_generator
from pointsman_indexer import Exclusions
from pointsman_indexer.evaluate.metrics import summary

WEIGHTS = (0.3, 0.6, 0.9)
TOKENS = 32
_LONGEST, _DOUBT, _MOST_PLACES = 16, 4.0, 120


class Tokens:
    """A text as the model's tokens, with the places behind each pair of them."""

    def __init__(self, ids: Sequence[int], weight: float) -> None:
        self.ids, self.weight = list(ids), weight
        self.after: dict[tuple[int, int], list[int]] = defaultdict(list)
        for at in range(2, len(self.ids)):
            self.after[self.ids[at - 2], self.ids[at - 1]].append(at)


Known = dict[int, tuple[Lexed, Tokens]]
"""By the identity of a text, which is held so that no other one gets it."""


class Mixed:
    """The engine's model, whose next token the cache has a say in. Drafts nothing, so that each pass is one token."""

    def __init__(self, model: Any) -> None:
        self._model = model
        self._written: list[int] = []
        self.weight = 0.0
        self.sources: Sequence[Tokens] = ()
        self.drafts = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def new_cache(self) -> Any:
        self._written = []
        return self._model.new_cache()

    def crop(self, cache: Any, keep: int) -> bool:
        del self._written[keep:]
        cropped: bool = self._model.crop(cache, keep)
        return cropped

    def forward(self, ids: Sequence[int], cache: Any, rows: int = 1) -> Any:
        logits = self._model.forward(ids, cache, rows)
        self._written.extend(ids)
        if not rows or not self.weight:
            return logits
        votes = self._votes()
        total = sum(votes.values())
        if not total:
            return logits
        share = self.weight * total / (total + _DOUBT)
        mixed = (1 - share) * torch.softmax(logits[-1].float(), -1)
        for token, vote in votes.items():
            mixed[token] += share * vote / total
        return torch.log(mixed)[None]

    def _votes(self) -> dict[int, float]:
        votes: dict[int, float] = defaultdict(float)
        context = self._written
        for source in self.sources:
            for place in source.after.get((context[-2], context[-1]), ())[-_MOST_PLACES:] if len(context) > 1 else ():
                length = length_of_match(source.ids, place, context, _LONGEST)
                votes[source.ids[place]] += source.weight * length**3
        return votes


def written(model: Mixed, prefix: PrefixCache, prompt: Any) -> tuple[str, float, int]:
    """The model's line, its log-probability and tokens."""
    sampling = Sampling(max_tokens=TOKENS, stop=(*prompt.stop, "\n"), begin=prompt.held_back, solid=prompt.solid)
    run, text, logprob, tokens = Generation(model, prefix, prompt.text, sampling), "", 0.0, 0
    while True:
        for made in run.step():
            if not isinstance(made, Text):
                return (text[len(prompt.held_back) :] if text.startswith(prompt.held_back) else ""), logprob, tokens
            text, logprob, tokens = text + made.text, logprob + made.logprob, tokens + made.tokens


def answers(
    task: Task, root: Path, corpus: Corpus, model: Mixed, prefix: PrefixCache, card: Any, known: Known
) -> dict[str, str]:
    path = root / task.path
    snapshot = Snapshot(
        uri=path.as_uri(), path=path, root=root, language=task.language, version=1, text=task.before + task.after
    )
    query = CompletionQuery(snapshot=snapshot, offset=len(task.before))
    cursor = cursor_of(query)
    sources = corpus.sources(query, cursor, ())
    model.sources = [_tokens(source, model, known) for source in sources]
    prompt = build_prompt(
        window(cursor, Budget(before=256, after=0, chunks=0)),
        path=task.path,
        language=task.language,
        begin=card.begin,
        fim=None,
        special_tokens=card.special_tokens,
    )
    scope = Scope(multi_line=False, indent=0)
    out: dict[str, str] = {}
    candidates: list[Candidate] = []
    for weight in (0.0, *WEIGHTS):
        model.weight = weight
        text, logprob, tokens = written(model, prefix, prompt)
        text = clean(within(text, scope, finished=True)[0], cursor, scope, card.special_tokens)[0]
        out[f"cache at {weight}" if weight else "model"] = text
        if text and not weight:
            candidates.append(Candidate(text, Evidence(origin="model", logprob=logprob, units=tokens)))
    found = look_up(cursor.before, cursor.after, sources)
    out["lookup"] = clean(found.text, cursor, scope, card.special_tokens)[0] if found else ""
    if found and out["lookup"]:
        candidates.append(Candidate(out["lookup"], evidence_of(found)))
    out["the surer of the two"] = next((one.text for one in by_confidence(candidates, cursor)), "")
    return out


def _tokens(source: Source, model: Mixed, known: Known) -> Tokens:
    if id(source.text) not in known:
        known[id(source.text)] = (source.text, Tokens(model.encode("".join(source.text.lexemes)), source.weight))
    return known[id(source.text)][1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--models", type=Path, required=True)
    parser.add_argument("--model", default="smollm2-135m")
    parser.add_argument("--precision", choices=("full", "nf4"), default="full")
    parser.add_argument("--limit", type=int, default=30, help="lines of each package")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    card = load_catalogue().get(given.model)
    rows: dict[str, list[dict[str, float]]] = defaultdict(list)
    begun = time.perf_counter()
    with tempfile.TemporaryDirectory() as scratch:
        spec = generator_spec(card, given.models / card.name, precision=given.precision, context=1024)
        model = Mixed(load_generator(spec, "cpu", Path(scratch)))
        for package in sorted(path for path in given.sources.iterdir() if path.is_dir()):
            copy = Path(scratch) / package.name
            (copy / ".git").mkdir(parents=True)
            tasks = masked(package, copy, ("line",), given.limit, given.seed, ())
            corpus, prefix = Corpus(lambda root: Exclusions(root, ())), PrefixCache()
            known: Known = {}
            for task in tasks:
                for name, text in answers(task, copy, corpus, model, prefix, card, known).items():
                    rows[name].append(figures(text, task.truth, task.lines, None))
    gains = {name: gain(own, rows["model"]) for name, own in rows.items() if name != "model"}
    found = {"n": len(rows["model"]), "systems": {name: summary(own) for name, own in rows.items()}, "gains": gains}
    print(
        json.dumps(
            {"model": card.name, "precision": given.precision, "seconds": round(time.perf_counter() - begun), **found},
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
