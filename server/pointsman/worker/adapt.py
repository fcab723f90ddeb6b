"""`python -P -m pointsman.worker.adapt PARENT_PID`: learns from one repository. Started by `adapt_link` alone.

Embeds the repository's own examples by the shipped embedder, trains a `Head` on those of some files, and asks the
questions of the others before and after. The head is sent to the parent only when the gain's interval is clear of 0
and the one in use is not better; this process writes nothing to disk and has no network.
"""

from __future__ import annotations

import os
import queue
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO

from pointsman.errors import EngineError, PointsmanError
from pointsman.worker import messages as m
from pointsman.worker.lifeline import EMBEDDING, die_with_parent, read_lines, refuse_network, take_pipes
from pointsman_indexer.niceness import give_way

FEWEST_LESSONS, FEWEST_QUESTIONS = 100, 30
"""Pairs to learn from and questions to decide by; with fewer the answer would be chance."""
_EMBEDDING_SHARE = 0.7
"""Of the time, at most, for all that comes before learning."""
_STEP = 64
"""Texts that are embedded between two words to the parent."""


class Adapting:
    """One run. `run` once."""

    def __init__(self, order: m.Adapt, sink: BinaryIO) -> None:
        self._order = order
        self._sink = sink
        self._started = time.monotonic()

    def run(self) -> m.Adapted:
        """Raises `PointsmanError`."""
        import torch

        from pointsman.worker.head import Head
        from pointsman.worker.learn import Lessons, gain_of, learn, reciprocal_ranks, verdict
        from pointsman.worker.load import load_embedder, pick_device, quiet, readable
        from pointsman_indexer import Exclusions, IndexerError
        from pointsman_indexer.holdout import gather

        order = self._order
        self.tell("read", 0, 0)
        try:
            exclusions = Exclusions(Path(order.root), order.exclude)
            material = gather(Path(order.root), exclusions, order.seed)
        except IndexerError as error:
            raise PointsmanError(error.message, remedy=error.remedy) from error
        _check_enough(len(material.lessons), len(material.questions))
        quiet()
        with readable(order.embedder.name):
            self._encoder = load_embedder(order.embedder, pick_device("cpu"))
        pieces = self._vectors("embed", material.pieces, query=False)
        asked = self._vectors("questions", [one.query for one in material.questions], query=True)
        taught = self._vectors("lessons", [one.query for one in material.lessons], query=True)
        answers = [one.answers for one in material.questions]
        before = reciprocal_ranks(asked @ pieces.T, answers)
        lessons = Lessons(
            lessons=material.lessons,
            queries=taught,
            pieces=pieces,
            learned=material.learned,
            paths=material.paths,
        )
        left = max(1.0, order.seconds - (time.monotonic() - self._started))
        head = learn(lessons, left, order.seed, lambda done, total: self.tell("train", done, total))

        def ranks_by(head: Head) -> list[float]:
            with torch.inference_mode():
                return reciprocal_ranks(head(asked) @ head(pieces).T, answers)

        after = ranks_by(head)
        gain = gain_of(before, after)
        used = Head.load(Path(order.head), order.head_sha256, self._encoder.dimension) if order.head else None
        earlier = ranks_by(used) if used is not None else None
        kept, earlier_holds = verdict(before, after, earlier)
        figures = {"before": round(sum(before) / len(before), 4), "after": round(sum(after) / len(after), 4)}
        metadata = {
            "base_sha256": order.base_sha256,
            "adapter_sha256": order.embedder.adapter_sha256,
            "exclusions": exclusions.fingerprint,
            "embedder": order.embedder.name,
            "pairs": str(len(material.lessons)),
            "held_out": str(len(answers)),
            "mrr@10": f"{figures['before']} {figures['after']}",
            "gain": " ".join(map(str, gain)),
            "made": time.strftime("%Y-%m-%d", time.gmtime()),
        }
        return m.Adapted(
            pairs=len(material.lessons),
            kinds=material.kinds,
            held_out=len(answers),
            before=figures["before"],
            after=figures["after"],
            gain=gain,
            earlier=round(sum(earlier) / len(earlier), 4) if earlier else None,
            earlier_holds=earlier_holds,
            seconds=round(time.monotonic() - self._started, 1),
            data=m.pack_bytes(head.data(metadata)) if kept else "",
        )

    def _vectors(self, stage: str, texts: Sequence[str], *, query: bool) -> Any:
        """Shape (len(texts), dimension)."""
        import torch

        from pointsman.worker.embed import Embedding

        out = torch.zeros((len(texts), self._encoder.dimension))
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        for at in range(0, len(order), _STEP):
            if time.monotonic() - self._started > _EMBEDDING_SHARE * self._order.seconds:
                raise EngineError(
                    "the time was over before all was embedded", remedy="give it more: --minutes, 3 by default"
                )
            rows = order[at : at + _STEP]
            job = Embedding(self._encoder, [texts[i] for i in rows], query=query)
            while (made := job.step()) is None:
                pass
            out[rows] = made
            self.tell(stage, at + len(rows), len(texts))
        return out

    def tell(self, stage: str, done: int, total: int) -> None:
        send(self._sink, m.Step(stage=stage, done=done, total=total))


def _check_enough(lessons: int, questions: int) -> None:
    if lessons < FEWEST_LESSONS or questions < FEWEST_QUESTIONS:
        raise PointsmanError(
            f"this repository tells too little of itself: {lessons} pairs to learn from of {FEWEST_LESSONS}, "
            f"{questions} questions to measure with of {FEWEST_QUESTIONS}",
            remedy="they come from documentation, tests, names and commits; the shipped embedder stays in use",
        )


def send(sink: BinaryIO, message: m.ToParent) -> None:
    try:
        sink.write(m.encode(message))
        sink.flush()
    except BrokenPipeError:
        os._exit(0)


def main() -> None:
    source, sink = take_pipes()
    die_with_parent(int(sys.argv[1]))
    refuse_network()
    give_way(EMBEDDING)
    inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    read_lines(source, inbox.put)
    code = 0
    try:
        order = m.decode_to_child(inbox.get())
        if not isinstance(order, m.Adapt):
            raise EngineError("the first message must say what to learn from")
        send(sink, Adapting(order, sink).run())
    except PointsmanError as error:
        send(sink, m.Failed(id=0, code=error.code, message=error.message, remedy=error.remedy))
        code = 3
    except Exception as error:
        # The type alone: the text may quote source.
        send(sink, m.Failed(id=0, code=EngineError.code, message=f"adapting failed: {type(error).__name__}"))
        code = 3
    os._exit(code)


if __name__ == "__main__":
    main()
