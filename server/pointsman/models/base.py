"""What an engine is: values and Protocols that every engine and every caller share.

Prompt and sampling in; text, scores and timings out, as a stream that can be cancelled by closing it.
Knows nothing of torch, of HTTP or of any one model.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Literal, Protocol


class Priority(IntEnum):
    """Lower is served first: typing before chat before indexing, in the model too."""

    TYPING = 0
    CHAT = 1
    INDEX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampling:
    """How to choose tokens. The default is greedy and so repeatable."""

    max_tokens: int = 64
    temperature: float = 0.0
    """0 takes the likeliest token; otherwise tokens are drawn, from `seed` when one is given."""
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    """Text that ends the answer and is not part of it. Stop tokens of the model always end it."""
    begin: str = ""
    """What the answer starts with, and holds: text that was left out at the end of the prompt, so that the model can
    join it to what follows as its tokens do (token healing)."""
    solid: bool = False
    """Whether what comes first, behind `begin`, must be something to see and not white space."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateRequest:
    """One generation. `prompt` is final: templates are applied, special tokens of the template are in it."""

    prompt: str
    sampling: Sampling
    priority: Priority


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """The next part of the answer: whole code points, never part of a stop string."""

    text: str
    logprob: float
    """Sum of the natural-log probabilities of the tokens behind `text`."""
    tokens: int


FinishReason = Literal["stop", "length"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finish:
    """The last item of every stream that was not broken off by an error."""

    reason: FinishReason
    model: str
    prompt_tokens: int
    reused_tokens: int
    """Prompt tokens whose keys and values were still in the prefix cache."""
    tokens: int
    queue_ms: float
    prefill_ms: float
    decode_ms: float


class EngineState(StrEnum):
    STOPPED = "stopped"  #: not started, or stopped after idling
    LOADING = "loading"  #: the process runs, the weights are being read
    READY = "ready"  #: answers at once
    RESTARTING = "restarting"  #: it died; waits its back-off before the next start
    FAILED = "failed"  #: gave up; `message` says why and what would help


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineStatus:
    name: str
    """torch, llama.cpp, or the own endpoint's name."""
    model: str
    state: EngineState
    message: str = ""
    pid: int | None = None
    memory_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Adaptation:
    """What a repository taught an embedder: a file, and the name under which its vectors are kept apart."""

    name: str
    file: Path
    sha256: str


class Engine(Protocol):
    """Something that holds one model. All methods belong to one event loop.

    `start` is idempotent and returns once the model is loaded; a request starts it when needed.
    Raises `EngineUnavailable`, `WontFit`, `ModelMissing` or `EngineError`, each with a message for the user.
    """

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def status(self) -> EngineStatus: ...


class Generator(Engine, Protocol):
    """Generates text."""

    def generate(self, request: GenerateRequest) -> AsyncGenerator[Piece | Finish, None]:
        """Stream the answer; closing the stream (`aclose`, or cancelling the task) frees the engine
        before its next token."""
        ...


class TextEmbedder(Engine, Protocol):
    """Embeds text. Vectors have unit length; shape (len(texts), dimension)."""

    async def embed(
        self, texts: Sequence[str], *, kind: Literal["query", "document"], priority: Priority
    ) -> list[list[float]]: ...

    async def compare(self, query: str, texts: Sequence[str], *, priority: Priority) -> list[float] | None:
        """How far each of a few texts says what the query says, read token by token: -1 to 1, shape (len(texts),).
        None where the model's tokens mean nothing by themselves, as when it was trained on the first or last alone."""
        ...
