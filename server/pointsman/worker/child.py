"""The torch child's own loop: load, then take messages and steps in turn until the parent goes.

One thread owns the model; a second only reads the pipe. Reports errors by kind, never by text, which may be source.
"""

from __future__ import annotations

import queue
import sys
from array import array
from pathlib import Path
from typing import BinaryIO

from pointsman.errors import EngineError, PointsmanError
from pointsman.models.base import Priority
from pointsman.worker import messages as m
from pointsman.worker.compare import Comparison
from pointsman.worker.embed import Embedding, Encoder
from pointsman.worker.engine import End, Generation, PrefixCache
from pointsman.worker.faults import device_lost, out_of_memory
from pointsman.worker.head import Head
from pointsman.worker.lifeline import EMBEDDING, WRITING
from pointsman.worker.load import (
    device_bytes,
    load_embedder,
    load_generator,
    pick_device,
    quiet,
    readable,
)
from pointsman.worker.scheduler import Scheduler
from pointsman.worker.transformer import Transformer
from pointsman_indexer.niceness import give_way

EXIT_FAILED = 3
_MOST_HEADS = 16
"""Repositories' corrections that are kept in memory, 100 kB each."""


class Child:
    """`inbox` is filled by the reading thread; everything else belongs to the thread that calls `run`."""

    def __init__(self, inbox: queue.SimpleQueue[bytes], sink: BinaryIO) -> None:
        self._inbox = inbox
        self._sink = sink
        self._jobs: Scheduler[Generation | Embedding | Comparison] = Scheduler()
        self._prefixes = {priority: PrefixCache() for priority in Priority}
        """One a priority: two jobs of one priority never interleave, so a cache has one user at a time."""
        self._generator: Transformer | None = None
        self._encoder: Encoder | None = None
        self._heads: dict[str, Head] = {}

    def run(self) -> int:
        """Serve until the parent is gone; the exit code of a child that cannot go on."""
        try:
            first = m.decode_to_child(self._inbox.get())
            if not isinstance(first, m.Load):
                raise EngineError("the first message must load a model")
            self._load(first)
            while True:
                self._receive()
                self._step()
        except PointsmanError as error:
            self._send(m.Failed(id=0, code=error.code, message=error.message, remedy=error.remedy))
        except Exception as error:
            code = "oom" if out_of_memory(error) else EngineError.code
            self._send(m.Failed(id=0, code=code, message=f"the model engine failed: {type(error).__name__}"))
        return EXIT_FAILED

    def _load(self, message: m.Load) -> None:
        quiet()
        device = pick_device(message.device)
        if device == "cpu":
            give_way(WRITING if message.generator else EMBEDDING)
        if spec := message.generator:
            self._send(m.Progress(stage=spec.name))
            with readable(spec.name):
                self._generator = load_generator(spec, device, Path(message.cache_dir))
        if embedder := message.embedder:
            self._send(m.Progress(stage=embedder.name))
            with readable(embedder.name):
                self._encoder = load_embedder(embedder, device)
        self._send(m.Ready(device=device, device_bytes=device_bytes(device)))

    def _receive(self) -> None:
        """Take what has arrived; wait only when there is nothing to do."""
        while True:
            try:
                line = self._inbox.get(block=not len(self._jobs))
            except queue.Empty:
                return
            self._take(m.decode_to_child(line))

    def _take(self, message: m.ToChild) -> None:
        match message:
            case m.Generate():
                if self._generator is None:
                    self._fail(message.id, "this engine has no model that writes")
                    return
                priority = Priority(message.priority)
                prefix = self._prefixes[priority]
                job = Generation(self._generator, prefix, message.prompt, message.sampling)
                self._jobs.add(message.id, priority, job)
            case m.Embed():
                if self._encoder is None:
                    self._fail(message.id, "this engine has no embedder")
                    return
                try:
                    head = self._head(message, self._encoder.dimension)
                except EngineError as error:
                    self._send(m.Failed(id=message.id, code=error.code, message=error.message, remedy=error.remedy))
                    return
                work = Embedding(self._encoder, message.texts, query=message.query, head=head)
                self._jobs.add(message.id, Priority(message.priority), work)
            case m.Compare():
                if self._encoder is None:
                    self._fail(message.id, "this engine has no embedder")
                    return
                comparison = Comparison(self._encoder, message.query, message.texts)
                self._jobs.add(message.id, Priority(message.priority), comparison)
            case m.Cancel():
                self._jobs.remove(message.id)
            case m.Ping():
                self._send(m.Pong())
            case _:
                raise EngineError("a message arrived that this engine does not expect now")

    def _head(self, message: m.Embed, dimension: int) -> Head | None:
        """What the message's repository taught; kept, for an index sends hundreds of messages."""
        if not message.head:
            return None
        if message.head_sha256 not in self._heads:
            if len(self._heads) >= _MOST_HEADS:
                self._heads.pop(next(iter(self._heads)))
            self._heads[message.head_sha256] = Head.load(Path(message.head), message.head_sha256, dimension)
        return self._heads[message.head_sha256]

    def _step(self) -> None:
        if (chosen := self._jobs.next()) is None:
            return
        id, job = chosen
        try:
            over = self._advance(id, job)
        except Exception as error:
            if out_of_memory(error):
                self._send(m.Failed(id=id, code="oom", message="the model engine ran out of memory"))
                raise
            self._jobs.remove(id)
            self._fail(id, f"the model engine failed: {type(error).__name__}")
            if device_lost(error):
                raise
            return
        if over:
            self._jobs.remove(id)

    def _advance(self, id: int, job: Generation | Embedding | Comparison) -> bool:
        if isinstance(job, Comparison):
            scores = job.step()
            if scores is not None:
                self._send(m.Scores(id=id, scores=tuple(scores)))
            return scores is not None
        if isinstance(job, Embedding):
            made = job.step()
            if made is None:
                return False
            rows, dimension = made.shape
            data = m.pack(array("f", made.flatten().tolist()))
            self._send(m.Vectors(id=id, count=rows, dimension=dimension, data=data))
            return True
        over = False
        for part in job.step():
            if isinstance(part, End):
                over = True
                self._send(
                    m.Finished(
                        id=id,
                        reason=part.reason,
                        prompt_tokens=part.prompt_tokens,
                        reused_tokens=part.reused_tokens,
                        tokens=part.tokens,
                        queue_ms=part.queue_ms,
                        prefill_ms=part.prefill_ms,
                        decode_ms=part.decode_ms,
                    )
                )
            else:
                self._send(m.PieceMade(id=id, text=part.text, logprob=part.logprob, tokens=part.tokens))
        return over

    def _fail(self, id: int, message: str) -> None:
        self._send(m.Failed(id=id, code=EngineError.code, message=message))

    def _send(self, message: m.ToParent) -> None:
        try:
            self._sink.write(m.encode(message))
            self._sink.flush()
        except BrokenPipeError:
            sys.exit(0)
