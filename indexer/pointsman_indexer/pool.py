"""Parsing in child processes, started when there is work and shared by all indexes of this process.

Answers come in the order of the files, as a stream: only a few batches are under way at any time, so memory does not
grow with the repository. A file that ends its child is tried once more as plain text, by a new child; one that ends
that as well is reported as `crashed` or `too_slow`. Knows nothing of what is made of the answers.
"""

from __future__ import annotations

import atexit
import functools
import os
import pickle
import select
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from pointsman_indexer.children import environment
from pointsman_indexer.errors import IndexerError
from pointsman_indexer.parse_worker import READY, Source, receive, send
from pointsman_indexer.parsing import ParsedFile

_MOST_CHILDREN = 4
_BATCH_FILES, _BATCH_BYTES = 16, 192 * 1024
_BACKLOG = 2
"""Batches under way for each child."""
COMMAND = ("-P", "-m", "pointsman_indexer.parse_worker")
"""What a child runs; with `-P` nothing in the current folder is imported."""
_STUCK_SECONDS = 60.0
"""Real time for one file: for a child that is stopped or starved, and uses no processor time."""


class Parsers:
    """Up to `most` child processes. Any thread may call `parse`."""

    def __init__(self, most: int | None = None) -> None:
        self._most = most or min(os.cpu_count() or 1, _MOST_CHILDREN)
        self._threads = ThreadPoolExecutor(self._most, thread_name_prefix="parse")
        self._idle: list[_Child] = []
        self._lock = threading.Lock()

    def parse(self, sources: Iterable[Source]) -> Iterator[tuple[Source, ParsedFile]]:
        """Each source with what it came to, in order. Raises `IndexerError` when no child can be started."""
        under_way: deque[tuple[Sequence[Source], Future[list[ParsedFile]]]] = deque()
        batches = _batches(sources)
        try:
            for batch in batches:
                under_way.append((batch, self._threads.submit(self._batch, batch)))
                if len(under_way) >= _BACKLOG * self._most:
                    yield from _answers(*under_way.popleft())
            while under_way:
                yield from _answers(*under_way.popleft())
        finally:
            for _, future in under_way:
                future.cancel()

    def _batch(self, batch: Sequence[Source]) -> list[ParsedFile]:
        with self._lock:
            child = self._idle.pop() if self._idle else _Child()
        try:
            return child.parse(batch)
        finally:
            with self._lock:
                self._idle.append(child)

    def close(self) -> None:
        self._threads.shutdown(wait=True, cancel_futures=True)
        while self._idle:
            self._idle.pop().close()


@functools.cache
def shared() -> Parsers:
    """The parsers of this process."""
    parsers = Parsers()
    atexit.register(parsers.close)
    return parsers


def _answers(batch: Sequence[Source], future: Future[list[ParsedFile]]) -> Iterator[tuple[Source, ParsedFile]]:
    return zip(batch, future.result(), strict=True)


def _batches(sources: Iterable[Source]) -> Iterator[list[Source]]:
    batch: list[Source] = []
    size = 0
    for source in sources:
        batch.append(source)
        size += len(source.data)
        if len(batch) >= _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


class _Ended(Exception):
    """The child is gone. `reason` is what to say of the file at hand; "" when it had only been idle."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Child:
    """One process, started anew whenever it has ended. Used by one thread at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def parse(self, batch: Sequence[Source]) -> list[ParsedFile]:
        done: list[ParsedFile] = []
        while len(done) < len(batch):
            try:
                self._ask(batch[len(done) :], done)
            except _Ended as ended:
                if ended.reason:
                    source = batch[len(done)]
                    lost = ParsedFile(language="", skipped=ended.reason)
                    done += [lost] if source.plain else self.parse([source._replace(plain=True)])
        return done

    def _ask(self, batch: Sequence[Source], done: list[ParsedFile]) -> None:
        fresh = self._process is None
        process = self._started()
        assert process.stdin is not None
        try:
            send(process.stdin.fileno(), pickle.dumps([tuple(source) for source in batch], pickle.HIGHEST_PROTOCOL))
            for _ in batch:
                done.append(pickle.loads(self._receive(process)))
        except (BrokenPipeError, _Ended) as error:
            reason = error.reason if isinstance(error, _Ended) else self._ended(process).reason
            # Only one that has waited for work may have left for want of it.
            raise _Ended(reason or ("crashed" if fresh else "")) from None

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, *COMMAND],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                env=environment(),
                start_new_session=True,  # the terminal's interrupt is for the parent
            )
            try:
                started = self._receive(self._process) == READY
            except _Ended:
                started = False
            if not started:
                self.close()
                raise IndexerError(
                    "the parsing process does not start", remedy="see whether memory is short or the installation whole"
                )
        return self._process

    def _receive(self, process: subprocess.Popen[bytes]) -> bytes:
        assert process.stdout is not None
        descriptor = process.stdout.fileno()
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        if not poll.poll(_STUCK_SECONDS * 1000):
            process.kill()
            self.close()
            raise _Ended("too_slow")
        answer = receive(descriptor)
        if answer is None:
            raise self._ended(process)
        return answer

    def _ended(self, process: subprocess.Popen[bytes]) -> _Ended:
        code = process.wait()
        self.close()
        return _Ended("" if code == 0 else "too_slow" if code == -signal.SIGPROF else "crashed")

    def close(self) -> None:
        """End the process: it reads the end of its input."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        process.wait()
