"""How a parent and its model child talk: newline-delimited JSON over the child's stdin and stdout.

    parent → child   Load first; then Generate, Embed, Compare, Cancel, Ping. End of file means: exit at once.
    child → parent   Progress while loading, Ready; then PieceMade*, Finished, Vectors, Scores or Failed per id; Pong.

The adapting child gets one Adapt and answers Step*, then Adapted or Failed.

Only values: no torch, no asyncio. Both ends are the same version, so there is no negotiation; a line that does not
fit its message is an error that never quotes the line, which holds source text.
"""

from __future__ import annotations

import base64
import json
from array import array
from dataclasses import dataclass
from typing import Any, Literal, get_args

import cattrs
from cattrs.errors import BaseValidationError

from pointsman.errors import EngineError
from pointsman.models.base import Sampling

MAX_LINE = 8 * 1024 * 1024
"""Bytes of one message. A 32,000-token prompt takes a fiftieth of it; an endless line is cut off."""

TEXTS_PER_EMBED = 64
"""Texts of one Embed. Their vectors fit a line up to 20,000 dimensions."""

Pooling = Literal["mean", "cls", "last"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GeneratorSpec:
    """What the child must know to load a model that writes."""

    name: str
    folder: str
    gguf: str = ""
    """Name of a GGUF file in `folder`, to be used when the folder has no safetensors."""
    gguf_sha256: str = ""
    """Hash of the GGUF from the catalogue; with "" the child goes by its size and time."""
    precision: Literal["nf4", "full"] = "nf4"
    context: int = 4096
    stop_tokens: tuple[str, ...] = ()
    special_tokens: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderSpec:
    name: str
    folder: str
    max_tokens: int = 256
    query_prefix: str = ""
    pooling: Pooling = "mean"
    adapter: str = ""
    """Path of low-rank matrices for the model's layers; "" for none."""
    adapter_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The torch child's first message."""

    device: Literal["auto", "cpu", "cuda"]
    cache_dir: str
    generator: GeneratorSpec | None = None
    embedder: EmbedderSpec | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Serve:
    """The llama.cpp child's first and only message. `context` is per slot."""

    model: str
    name: str
    socket: str
    key: str
    context: int
    slots: int
    threads: int = 0
    """0 lets llama.cpp choose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapt:
    """The adapting child's first and only message."""

    root: str
    exclude: tuple[str, ...]
    """Patterns of policy, on top of the built-in ones and the repository's own."""
    embedder: EmbedderSpec
    base_sha256: str
    """Of the encoder's weights, to be noted in the file."""
    seconds: float
    head: str = ""
    """File of the correction that is in use, to be measured beside the new one; "" for none."""
    head_sha256: str = ""
    seed: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    id: int
    prompt: str
    sampling: Sampling
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Embed:
    id: int
    texts: tuple[str, ...]
    query: bool
    priority: int
    head: str = ""
    """Path of what a repository taught, applied to the vectors; "" for none."""
    head_sha256: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compare:
    """How far each text says what the query says."""

    id: int
    query: str
    texts: tuple[str, ...]
    priority: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cancel:
    id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ping:
    """Answered between two steps, so a Pong shows that the model's own thread is alive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    device: str
    device_bytes: int
    """Memory taken on the accelerator, which the process's own size does not show."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PieceMade:
    id: int
    text: str
    logprob: float
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    id: int
    reason: Literal["stop", "length"]
    prompt_tokens: int
    reused_tokens: int
    tokens: int
    queue_ms: float
    prefill_ms: float
    decode_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Vectors:
    id: int
    count: int
    dimension: int
    data: str
    """Base64 of little-endian float32, row by row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scores:
    id: int
    scores: tuple[float, ...]
    """One for each text of the Compare, in their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """`id` 0 means the child as a whole: it could not load, and exits."""

    id: int
    code: str
    """A code of `pointsman.errors`."""
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pong:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far adapting is; a total of 0 is not known."""

    stage: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapted:
    """The adapting child's last message. Figures are MRR@10 of the questions that were held out."""

    pairs: int
    kinds: dict[str, int]
    held_out: int
    before: float
    after: float
    gain: tuple[float, float, float]
    """Mean of the paired differences, lower and upper end of its interval."""
    earlier: float | None
    """Of the correction in use until now; None without one."""
    earlier_holds: bool
    """Whether that one is still better than the shipped embedder; false without one."""
    seconds: float
    data: str
    """Base64 of the file to keep; "" when it is not better than both."""


ToChild = Load | Serve | Adapt | Generate | Embed | Compare | Cancel | Ping
ToParent = Progress | Ready | PieceMade | Finished | Vectors | Scores | Failed | Pong | Step | Adapted

_TO_CHILD: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(ToChild)}
_TO_PARENT: dict[str, type[Any]] = {kind.__name__: kind for kind in get_args(ToParent)}
_converter = cattrs.Converter(forbid_extra_keys=True)


def encode(message: ToChild | ToParent) -> bytes:
    """One line. Raises `EngineError` when it would be longer than the other end accepts."""
    plain = {"type": type(message).__name__, **_converter.unstructure(message)}
    # ASCII escapes carry a lone surrogate, which a text from an editor can hold, without breaking UTF-8.
    line = json.dumps(plain, separators=(",", ":")).encode("ascii") + b"\n"
    if len(line) > MAX_LINE:
        raise EngineError("the request is too long for the model engine")
    return line


def decode_to_child(line: bytes) -> ToChild:
    message: ToChild = _decode(line, _TO_CHILD)
    return message


def decode_to_parent(line: bytes) -> ToParent:
    message: ToParent = _decode(line, _TO_PARENT)
    return message


def _decode(line: bytes, table: dict[str, type[Any]]) -> Any:
    try:
        plain = json.loads(line)
        kind = table[plain.pop("type")]
        return _converter.structure(plain, kind)
    except (BaseValidationError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise EngineError("a message on the engine's pipe was malformed") from error


def pack(vectors: array[float]) -> str:
    """Base64 of a float32 array, little-endian on every machine that torch runs on."""
    return base64.b64encode(vectors.tobytes()).decode("ascii")


def pack_bytes(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def unpack_bytes(message: Adapted) -> bytes:
    """Raises `EngineError`."""
    try:
        return base64.b64decode(message.data, validate=True)
    except ValueError as error:
        raise EngineError("a message on the engine's pipe was malformed") from error


def unpack(message: Vectors) -> list[list[float]]:
    """Rows of `message`. Raises `EngineError` when the data does not have the shape it claims."""
    flat = array("f")
    try:
        flat.frombytes(base64.b64decode(message.data, validate=True))
    except ValueError as error:
        raise EngineError("a message on the engine's pipe was malformed") from error
    if len(flat) != message.count * message.dimension:
        raise EngineError("the engine sent vectors of the wrong shape")
    width = message.dimension
    return [flat[row * width : (row + 1) * width].tolist() for row in range(message.count)]
