"""How well questions about real packages are answered. Run: python -m bench.answers SOURCES [--write N]

SOURCES holds a folder for each package of `bench/data/questions.jsonl`, as its wheel unpacks. Every question of the
test part and every one of `bench/data/unanswerable.jsonl` goes through retrieval; N of the first and all of the second
are answered by the model as well, and each citation is checked against the file: it must be there, at those lines, with
the hash that the citation carries, and hold half of the content words of each sentence that cites it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
from collections import Counter
from pathlib import Path
from typing import Any

from pointsman.build import build_services
from pointsman.chat.citations import SUPPORTED_CITED
from pointsman.chat.retrieve import retrieve
from pointsman.chat.types import Answer, Question
from pointsman.chat.words import content_words, coverage
from pointsman.exclusion import ExclusionsOf
from pointsman.host.api import IndexParams
from pointsman.settings import Paths, Settings
from pointsman_indexer.files import blob_id

DATA = Path(__file__).parent / "data"
BUDGET = 1200
MOST_LINES = 120
_MARK = re.compile(r"\[(\d+)\]")


def rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text().splitlines()]


def is_hit(row: dict[str, Any], path: str, first: int, last: int) -> bool:
    """Whether lines are those that answer, at least in part; a whole class answers nothing."""
    overlaps = path == row["path"] and first <= row["end_line"] and row["start_line"] <= last
    return bool(overlaps and last - first < MOST_LINES)


def wrong_citations(answer: Answer, root: Path) -> tuple[int, int, int]:
    """Pairs of a sentence and a citation; those that do not hold; citations of files that are not there."""
    pairs = wrong = 0
    places = {c.n: c for c in answer.citations}
    texts: dict[int, str] = {}
    for n, citation in places.items():
        path = root / citation.path
        if path.is_file() and blob_id(path.read_bytes()) == citation.sha:
            lines = path.read_text(errors="replace").split("\n")[citation.start_line - 1 : citation.end_line]
            texts[n] = f"{citation.path} {citation.symbol} " + "\n".join(lines)
    for piece in re.split(r"(?<=[.!?])\s+|\n\n", answer.answer):
        said = content_words(_MARK.sub("", piece))
        for n in {int(n) for n in _MARK.findall(piece)}:
            pairs += 1
            wrong += n not in texts or coverage(said, content_words(texts[n])) < SUPPORTED_CITED
    return pairs, wrong, len(places) - len(texts)


async def measure(sources: Path, write: int) -> dict[str, Any]:
    services = build_services(Paths.resolve(), Settings(), in_process=True)
    asker: Any = services.asker
    exclusions: ExclusionsOf = asker._exclusions
    questions = [row for row in rows("questions.jsonl") if row["split"] == "test"]
    nothing = rows("unanswerable.jsonl")
    chosen = {row["query"] for row in random.Random(7).sample(questions, min(write, len(questions)))}
    count: Counter[str] = Counter()
    missed: list[str] = []
    try:
        for package in sorted({row["package"] for row in questions if (sources / row["package"]).is_dir()}):
            root = (sources / package).resolve()
            async for _ in services.host.index(IndexParams(path=str(root))):
                pass
            for row in (row for row in questions if row["package"] == package):
                question = Question(text=row["query"], root=root)
                found = await retrieve(services.host, exclusions, question, budget=BUDGET)
                count["questions"] += 1
                count["declined though answerable"] += not found.relevant
                hit = any(is_hit(row, s.path, s.start_line, s.end_line) for s in found.sources[:5])
                count["in the top 5"] += hit
                if not hit:
                    missed.append(f"{package}: {row['query']}")
                if row["query"] in chosen:
                    _count_answer(count, await services.asker.ask(question, lambda delta: None), root, row)
            for row in (row for row in nothing if row["package"] == package):
                question = Question(text=row["query"], root=root)
                found = await retrieve(services.host, exclusions, question, budget=BUDGET)
                count["unanswerable"] += 1
                declined = not found.relevant
                if not declined and write:
                    declined = (await services.asker.ask(question, lambda delta: None)).abstained
                count["unanswerable, declined"] += declined
                if not declined:
                    missed.append(f"{package}, unanswerable: {row['query']}")
    finally:
        await services.close()
    return {**count, "load average": os.getloadavg()[0], "missed": missed}


def _count_answer(count: Counter[str], answer: Answer, root: Path, row: dict[str, Any]) -> None:
    pairs, wrong, absent = wrong_citations(answer, root)
    count["answers"] += 1
    count["answers, abstained"] += answer.abstained
    count["answers, quoted"] += "quoted" in answer.route.reason
    count["citing sentences"] += pairs
    count["citing sentences, unsupported"] += wrong
    count["citations of absent files"] += absent
    count["answers that cite the right lines"] += any(
        is_hit(row, c.path, c.start_line, c.end_line) for c in answer.citations
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--write", type=int, default=0)
    chosen = parser.parse_args()
    print(json.dumps(asyncio.run(measure(chosen.sources, chosen.write)), indent=1))


if __name__ == "__main__":
    main()
