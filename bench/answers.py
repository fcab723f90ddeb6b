"""How well questions about real packages are answered. Run: python -m bench.answers SOURCES [--part dev] [--write N]

SOURCES holds a folder for each package of `bench/data/questions.jsonl`, as its wheel unpacks. Every question of the
part, and every one of `bench/data/unanswerable.jsonl`, goes through the chat's retrieval. The part `test` is reported;
`dev` is for tuning (its questions are `dev` and `train` of the first file); `fresh` has only unanswerable ones, of a
later list, a third of which was looked at while the rule on words that a repository never says was made. `held` and
`other` are by authors who had seen neither the tool nor its rules, about packages that no other part has questions in
words about. The parts with `names` are questions that `bench.names` made, of other packages each.

Right lines: at least one line that a source shows (not: that lies between its first and its last) is of a place that
answers, `also` included, and the source spans fewer than 120 lines.

With `--write N`, N answerable questions and those unanswerable ones that retrieval lets through are answered by the
model. A citation is right when its file is there with the hash that the citation carries, and its lines are right ones
or hold most of the content words of the sentence that cites it: `citing sentences` are pairs of a sentence and a
number in it. `wrongly declined` counts answerable questions of which the answer says that the repository is silent.

With `--cited FILE`, each cited sentence of those answers is added there beside what stands at its citation, for a
person to judge whether the one follows from the other: a check by words cannot be the measure of a check by words.

A small model writes few sentences that stand, so the check of citations is measured without one as well: `planted` are
first sentences of documentation that the sources show, each with the number of another source drawn by lot, and as many
taken from another package. A number that is kept is right when its source says the very sentence.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from bench.names import PACKAGES

from pointsman.build import build_services
from pointsman.chat.citations import ground, numbered
from pointsman.chat.kinds import read
from pointsman.chat.quote import CLOSEST
from pointsman.chat.retrieve import retrieve
from pointsman.chat.sources import Source
from pointsman.chat.types import Answer, Citation, Question
from pointsman.chat.words import content_words, coverage
from pointsman.exclusion import ExclusionsOf
from pointsman.host.api import IndexParams
from pointsman.settings import Paths, Settings
from pointsman_indexer.files import blob_id

DATA = Path(__file__).parent / "data"
BUDGET = 1200
MOST_LINES = 120
MOST_WORDS = 0.6
_MARK = re.compile(r"\s?\[(\d+)\]")
_SENTENCE = re.compile(r"(?<=[.!?])\s+|\n\n(?!\[)")
_DOCUMENTED = re.compile(r'"""\s*([A-Z][^."\n]{15,}?)(?:\.|\n|""")')
_PARTS = {"dev": ("dev", "train")} | {part: (part,) for part in ("test", "fresh", "held", "other", *PACKAGES)}


def rows(name: str, part: str) -> list[dict[str, Any]]:
    found = [json.loads(line) for line in (DATA / name).read_text().splitlines()]
    return [row for row in found if row["split"] in _PARTS[part]]


def is_right(row: dict[str, Any], path: str, lines: Iterable[int]) -> bool:
    """Whether one of the lines, all of one file, is of a place that answers; a whole class answers nothing."""
    numbers = sorted(lines)
    if not numbers or numbers[-1] - numbers[0] >= MOST_LINES:
        return False
    places = [place for place in (row, *row.get("also", ())) if place["path"] == path]
    return any(place["start_line"] <= number <= place["end_line"] for place in places for number in numbers)


def shows(row: dict[str, Any], source: Source) -> bool:
    return is_right(row, source.path, [number for number, _ in source.lines])


def cited(citation: Citation, root: Path) -> str | None:
    """What stands at a citation's place; None when the file is not there or is another by now."""
    path = root / citation.path
    if not path.is_file() or blob_id(path.read_bytes()) != citation.sha:
        return None
    lines = path.read_text(errors="replace").split("\n")[citation.start_line - 1 : citation.end_line]
    return f"{citation.path} {citation.symbol} " + "\n".join(lines)


def written(answer: Answer) -> str:
    """The answer without the passages that are quoted behind it."""
    return answer.answer.split(CLOSEST)[0]


def count_answer(count: Counter[str], answer: Answer, root: Path, row: dict[str, Any]) -> None:
    """Add up what one answer cites. A quoted passage is its own support."""
    places = {c.n: c for c in answer.citations}
    texts = {n: cited(c, root) for n, c in places.items()}
    right = {n for n, c in places.items() if is_right(row, c.path, range(c.start_line, c.end_line + 1))}
    count["citations"] += len(places)
    count["citations of absent files"] += sum(text is None for text in texts.values())
    count["answers with right lines cited"] += bool(right)
    if "quoted" in answer.route.reason or answer.abstained:
        return
    for piece in _SENTENCE.split(written(answer)):
        said = content_words(_MARK.sub("", piece))
        for n in {int(n) for n in _MARK.findall(piece)}:
            held = coverage(said, content_words(texts.get(n) or "")) >= MOST_WORDS
            count["citing sentences"] += 1
            count["citing sentences, supported"] += held
            count["citing sentences, on right lines"] += n in right
            count["citing sentences, right"] += bool(texts.get(n)) and (held or n in right)


def cited_sentences(answer: Answer, root: Path) -> Iterator[dict[str, Any]]:
    """Each pair of a written sentence and a citation in it, with the lines that are cited."""
    if "quoted" in answer.route.reason or answer.abstained:
        return
    places = {c.n: c for c in answer.citations}
    for piece in _SENTENCE.split(written(answer)):
        for n in sorted({int(n) for n in _MARK.findall(piece)} & places.keys()):
            c = places[n]
            place = f"{c.path}:{c.start_line}-{c.end_line} {c.symbol}"
            yield {"sentence": piece.strip(), "place": place, "passage": cited(c, root)}


def said_by(sources: Sequence[Source]) -> list[tuple[int, str]]:
    """Sentences of documentation, with the number of the source that shows them."""
    found = ((n, _DOCUMENTED.search(source.text)) for n, source in enumerate(sources, start=1))
    return [(n, match[1]) for n, match in found if match]


def plant(
    count: Counter[str], sources: Sequence[Source], strange: Sequence[tuple[int, str]], lot: random.Random
) -> None:
    """Add up what the check does with wrong numbers; `strange` are sentences of another package."""
    numbers = range(1, len(sources) + 1)
    for own, sentence in said_by(sources) if len(sources) > 1 else ():
        used = ground(f"{sentence} [{lot.choice([n for n in numbers if n != own])}].", numbered(sources)).places
        count["planted, wrong number"] += 1
        count["planted, wrong number: cited"] += len(used)
        count["planted, wrong number: cited rightly"] += sum(sentence in sources[n - 1].text for n in used)
    for _, sentence in strange if sources else ():
        count["planted, of another package"] += 1
        count["planted, of another package: cited"] += bool(
            ground(f"{sentence} [{lot.choice(numbers)}].", numbered(sources)).places
        )


async def measure(
    sources: Path, part: str, write: int, verbose: bool, only_unanswerable: bool, kept: Path | None
) -> dict[str, Any]:
    services = build_services(Paths.resolve(), Settings(), in_process=True)
    asker: Any = services.asker
    exclusions: ExclusionsOf = asker._exclusions
    questions = [] if only_unanswerable else [*rows("questions.jsonl", part), *rows("names.jsonl", part)]
    nothing = rows("unanswerable.jsonl", part)
    chosen = {row["query"] for row in random.Random(7).sample(questions, min(write, len(questions)))}
    count: Counter[str] = Counter()
    missed: list[str] = []
    lot = random.Random(5)
    strange: list[tuple[int, str]] = []
    packages = {row["package"] for row in (*questions, *nothing)}

    async def ask(question: Question) -> Answer:
        answer = await services.asker.ask(question, lambda delta: None)
        if verbose:
            print(
                f"\n# {question.root.name}: {question.text}\n{answer.answer}\n({answer.route.reason})", file=sys.stderr
            )
        if kept:
            with kept.open("a") as file:  # as they come: the whole takes an hour, and may be broken off
                for pair in cited_sentences(answer, question.root):
                    file.write(f"{json.dumps({'question': question.text, **pair})}\n")
        return answer

    try:
        for package in sorted(name for name in packages if (sources / name).is_dir()):
            root = (sources / package).resolve()
            async for _ in services.host.index(IndexParams(path=str(root))):
                pass
            shown: list[tuple[int, str]] = []
            for row in (row for row in questions if row["package"] == package):
                question = Question(text=row["query"], root=root)
                found = await retrieve(services.host, exclusions, question, read(question), budget=BUDGET)
                hit = any(shows(row, source) for source in found.sources[:5])
                plant(count, found.sources, strange[:5], lot)
                shown += said_by(found.sources)
                count["questions"] += 1
                count["right lines in the top 5"] += hit
                count["the same, without `also`"] += any(shows({**row, "also": ()}, s) for s in found.sources[:5])
                count["wrongly declined by retrieval"] += not found.relevant
                count["not declined, doubtful"] += found.relevant and found.standing == "doubtful"
                if not hit or not found.relevant:
                    missed.append(f"{package}: {row['query']}{'' if found.relevant else ' (declined)'}")
                if row["query"] in chosen:
                    answer = await ask(question)
                    count["answers"] += 1
                    count["answers, quoted"] += "quoted" in answer.route.reason and not answer.abstained
                    count["answers, wrongly declined"] += answer.abstained
                    count_answer(count, answer, root, row)
            strange = lot.sample(shown, min(5, len(shown)))
            for row in (row for row in nothing if row["package"] == package):
                question = Question(text=row["query"], root=root)
                found = await retrieve(services.host, exclusions, question, read(question), budget=BUDGET)
                kind = f"unanswerable, {row['kind']}"
                count[kind] += 1
                count[f"{kind}: declined by retrieval"] += not found.relevant
                declined = not found.relevant
                if found.relevant and write:
                    answer = await ask(question)
                    declined = answer.abstained
                    count[f"{kind}: quoted"] += "quoted" in answer.route.reason and not declined
                    count[f"{kind}: citations of absent files"] += sum(cited(c, root) is None for c in answer.citations)
                count[f"{kind}: declined"] += declined
                if not declined:
                    missed.append(f"{package}, {kind}: {row['query']}")
            if verbose:
                print(f"\n## {package}: {json.dumps(count)}\n", file=sys.stderr, flush=True)
    finally:
        await services.close()
    return {**count, "load average": os.getloadavg()[0], "missed": missed}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sources", type=Path)
    parser.add_argument("--part", choices=tuple(_PARTS), default="test")
    parser.add_argument("--write", type=int, default=0)
    parser.add_argument("--verbose", action="store_true", help="print each answer, and the sums so far, on stderr")
    parser.add_argument("--cited", type=Path, help="a file to add the cited sentences to, beside their passages")
    parser.add_argument("--only-unanswerable", action="store_true", help="leave the answerable questions out")
    given = parser.parse_args()
    measured = measure(given.sources, given.part, given.write, given.verbose, given.only_unanswerable, given.cited)
    print(json.dumps(asyncio.run(measured), indent=1))


if __name__ == "__main__":
    main()
