"""The torch child's loop with a toy model: who is served, what is cancelled, and how it fails."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from pointsman.errors import ModelMissing  # noqa: E402
from pointsman.models.base import Priority, Sampling  # noqa: E402
from pointsman.worker import child as child_module  # noqa: E402
from pointsman.worker import messages as m  # noqa: E402
from pointsman.worker.child import EXIT_FAILED, Child  # noqa: E402


class Sink:
    """A pipe whose other end reads whole lines."""

    def __init__(self) -> None:
        self.lines: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def write(self, line: bytes) -> int:
        self.lines.put(line)
        return len(line)

    def flush(self) -> None:
        pass


class Toy:
    """Writes "x" for ever. `before` runs ahead of each forward pass, in the child's thread."""

    context, device, stop_ids, hidden_ids, drafts = 4096, "cpu", frozenset[int](), frozenset[int](), 0

    def __init__(self) -> None:
        self.before: Callable[[list[int]], None] = lambda cache: None

    def encode(self, text: str) -> list[int]:
        return list(text.encode())

    def decode(self, ids: Sequence[int]) -> str:
        return bytes(ids).decode("utf-8", "replace")

    def new_cache(self) -> list[int]:
        return []

    def forward(self, ids: Sequence[int], cache: list[int], rows: int = 1) -> Any:
        cache.extend(ids)
        self.before(cache)
        logits = torch.zeros(rows, 256)
        logits[:, ord("x")] = 9.0
        return logits

    def crop(self, cache: list[int], keep: int) -> bool:
        del cache[keep:]
        return True


class Running:
    def __init__(self, toy: Toy) -> None:
        self.toy = toy
        self.inbox: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.sink = Sink()
        self.code: int | None = None
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        self.code = Child(self.inbox, self.sink).run()  # type: ignore[arg-type]

    def send(self, *messages: m.ToChild) -> None:
        for message in messages:
            self.inbox.put(m.encode(message))

    def receive(self) -> m.ToParent:
        return m.decode_to_parent(self.sink.lines.get(timeout=20))

    def until(self, kind: type[Any]) -> list[m.ToParent]:
        got = [self.receive()]
        while not isinstance(got[-1], kind):
            got.append(self.receive())
        return got

    def ended(self) -> int | None:
        self.thread.join(20)
        return self.code


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    toy = Toy()
    monkeypatch.setattr(child_module, "load_generator", lambda spec, device, cache_dir: toy)
    running = Running(toy)
    yield running
    running.inbox.put(b"end\n")
    assert running.ended() == EXIT_FAILED


LOAD = m.Load(device="cpu", cache_dir="/", generator=m.GeneratorSpec(name="toy", folder="/"))


def generate(id: int, prompt: str = "ab", tokens: int = 3, priority: Priority = Priority.CHAT) -> m.Generate:
    return m.Generate(id=id, prompt=prompt, sampling=Sampling(max_tokens=tokens), priority=priority)


def test_it_loads_says_so_and_answers(child: Running) -> None:
    child.send(LOAD, generate(1))
    kinds = [type(x).__name__ for x in child.until(m.Finished)]
    assert kinds == ["Progress", "Ready", "PieceMade", "PieceMade", "PieceMade", "Finished"]


def test_typing_overtakes_chat_between_two_tokens(child: Running) -> None:
    child.send(LOAD)
    child.until(m.Ready)
    # Sent from inside chat's second pass, so that it arrives in the middle of chat's answer whatever the timing.
    child.toy.before = lambda cache: (
        child.send(generate(2, "typed", 2, Priority.TYPING)) if cache == list(b"chatx") else None
    )
    child.send(generate(1, "chat", 4))
    got = child.until(m.Finished) + child.until(m.Finished)
    assert [x.id for x in got] == [1, 1, 2, 2, 2, 1, 1, 1]  # type: ignore[union-attr]


def test_a_cancelled_request_makes_no_further_pass(child: Running) -> None:
    child.send(LOAD)
    child.until(m.Ready)
    passes: list[int] = []

    def before(cache: list[int]) -> None:
        passes.append(len(cache))
        if len(passes) == 3:
            child.send(m.Cancel(id=1), m.Ping())

    child.toy.before = before
    child.send(generate(1, tokens=1000))
    child.until(m.Pong)
    child.send(m.Ping())
    child.until(m.Pong)
    assert len(passes) == 3
    child.send(generate(2, tokens=1))
    assert [x.id for x in child.until(m.Finished)] == [2, 2]  # type: ignore[union-attr]


def test_an_error_ends_one_request_and_its_text_stays_inside(child: Running) -> None:
    child.send(LOAD)
    child.until(m.Ready)

    def broken(cache: list[int]) -> None:
        raise ValueError("CANARY " + bytes(cache).decode())

    child.toy.before = broken
    child.send(generate(1, "secret CANARY"))
    failed = child.receive()
    assert isinstance(failed, m.Failed)
    assert (failed.id, failed.code) == (1, "engine")
    assert "CANARY" not in failed.message
    child.toy.before = lambda cache: None
    child.send(generate(2))
    assert isinstance(child.until(m.Finished)[-1], m.Finished)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] can't allocate memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    ],
    ids=["python", "cuda", "cpu", "cublas"],
)
def test_out_of_memory_tells_the_request_and_ends_the_process(child: Running, error: Exception) -> None:
    child.send(LOAD)
    child.until(m.Ready)

    def shortage(cache: list[int]) -> None:
        raise error

    child.toy.before = shortage
    child.send(generate(1))
    first, last = child.receive(), child.receive()
    assert isinstance(first, m.Failed)
    assert isinstance(last, m.Failed)
    assert [(x.id, x.code) for x in (first, last)] == [(1, "oom"), (0, "oom")]
    assert child.ended() == EXIT_FAILED


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError("CUDA error: an illegal memory access was encountered"),
        RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"),
    ],
    ids=["torch", "cublas"],
)
def test_an_error_of_cuda_tells_the_request_and_ends_the_process(child: Running, error: Exception) -> None:
    """No later call on that device would work."""
    child.send(LOAD)
    child.until(m.Ready)

    def dead(cache: list[int]) -> None:
        raise error

    child.toy.before = dead
    child.send(generate(1))
    first, last = child.receive(), child.receive()
    assert isinstance(first, m.Failed)
    assert isinstance(last, m.Failed)
    assert [(x.id, x.code) for x in (first, last)] == [(1, "engine"), (0, "engine")]
    assert child.ended() == EXIT_FAILED


@pytest.mark.parametrize(
    ("error", "code"), [(ModelMissing("gone"), "model_missing"), (KeyError("CANARY"), "engine"), (MemoryError(), "oom")]
)
def test_a_model_that_cannot_be_loaded_is_told_and_ends_the_process(
    child: Running, monkeypatch: pytest.MonkeyPatch, error: Exception, code: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(child_module, "load_generator", fail)
    child.send(LOAD)
    failed = child.until(m.Failed)[-1]
    assert isinstance(failed, m.Failed)
    assert (failed.id, failed.code) == (0, code)
    assert "CANARY" not in failed.message
    assert child.ended() == EXIT_FAILED


@pytest.mark.parametrize(
    "request_",
    [m.Embed(id=5, texts=("a",), query=False, priority=2), m.Compare(id=5, query="a", texts=("a",), priority=1)],
    ids=lambda x: type(x).__name__,
)
def test_what_it_was_not_loaded_for_is_refused_one_by_one(child: Running, request_: m.ToChild) -> None:
    child.send(LOAD, request_)
    failed = child.until(m.Failed)[-1]
    assert isinstance(failed, m.Failed)
    assert (failed.id, failed.message) == (5, "this engine has no embedder")


def test_nonsense_ends_the_process_with_a_word(child: Running) -> None:
    child.send(LOAD)
    child.until(m.Ready)
    child.inbox.put(b"CANARY\n")
    failed = child.receive()
    assert isinstance(failed, m.Failed)
    assert failed.id == 0
    assert "CANARY" not in failed.message
