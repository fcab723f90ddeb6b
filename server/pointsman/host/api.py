"""What the per-user host does for its clients: one Protocol and its messages.

`HostService` is the object itself; `HostClient` is the same Protocol over the socket. Callers cannot tell which.
Messages are frozen dataclasses of plain values, so that they travel as JSON.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Literal, Protocol

from pointsman.models.base import EngineStatus, Finish, GenerateRequest, Piece
from pointsman.models.card import ChatTemplate, FillInTheMiddle

Task = Literal["completion", "chat"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GenerateParams:
    task: Task
    request: GenerateRequest
    workspace: str = ""
    """Root of the workspace whose text the prompt holds: its policy may forbid a server of the team's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelParams:
    task: Task


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a prompt builder must know of the model that will answer `task`."""

    name: str
    parameters_m: float
    """Millions of weights; 0 where another server has them and its card need not be theirs."""
    context_length: int
    begin: str
    fim: FillInTheMiddle | None
    chat: ChatTemplate | None
    special_tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexParams:
    path: str
    """Any path inside the repository, absolute."""
    paths: tuple[str, ...] = ()
    """What may have changed, absolute; () looks at everything."""
    import_from: str = ""
    """A snapshot to take over from before, absolute; "" for none."""
    export_to: str = ""
    """Where to write a snapshot afterwards, absolute; "" for nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexProgress:
    stage: str
    """scan, parse, store, read (told when every file is found by its words), embed; check, import and export of a
    snapshot"""
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexReport:
    """The interface's `index` object. `skipped` counts files by reason; `notes` those indexed, but not as they are."""

    root: str
    files: int
    chunks: int
    skipped: dict[str, int]
    seconds: float
    embedded: int
    reused: int
    model: str
    revision: str
    notes: dict[str, int]
    imported: int = 0
    """Files that were taken over from a snapshot."""
    exported: int = 0
    """Files that were written to one."""
    note: str = ""
    """What the caller should know, such as an adaptation that was removed; "" when all is well."""
    skipped_paths: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """The first paths of the files in `skipped`, by reason; none of what is excluded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptParams:
    path: str
    """Any path inside the repository, absolute."""
    minutes: float = 3.0
    """For all of it, at most, but for the index that is then made anew."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptProgress:
    stage: str
    """read, embed, questions, lessons, train"""
    done: int
    total: int
    """0 when it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AdaptReport:
    """Whether what was learned is kept, and why: MRR@10 of the questions about files that were held out."""

    kept: bool
    pairs: int
    kinds: dict[str, int]
    """Pairs by where they come from: docstring, test, identifier, commit."""
    held_out: int
    before: float
    after: float
    gain: tuple[float, float, float]
    """Mean of the paired differences, and the ends of its 95 % interval."""
    seconds: float
    earlier: float | None = None
    """Of what was learned before and was in use until now."""
    removed: bool = False
    """Whether that was removed without a successor, since it is no longer better than the shipped embedder."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetParams:
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ForgetReply:
    removed: bool
    """False when there was no adaptation."""


Closely = Literal["never", "questions", "always"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchParams:
    path: str
    query: str
    k: int = 10
    language: str = ""
    priority: int = 1
    """`Priority` of the query's embedding."""
    closely: Closely = "never"
    """When the best hits are read beside the query, which takes some tenths of a second on a CPU: only those of a
    question, which are put in order by it, or those of anything, for their likeness."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchHit:
    """The interface's hit; lines are 1-based and inclusive, `sha` is the blob id of the text it was made from."""

    path: str
    start_line: int
    end_line: int
    symbol: str
    kind: str
    language: str
    score: float
    sha: str
    fresh: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchReply:
    root: str
    hits: tuple[SearchHit, ...]
    note: str = ""
    """What the caller should know, such as an index that is still being built; "" when all is well."""
    likeness: float | None = None
    """How near the hits come to the query, -1 to 1, which unlike a score compares across queries; None when none was
    read."""
    complete: bool = True
    """False while files wait to be read: what was not found may stand in them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineParams:
    path: str
    """Any path inside the repository, absolute."""
    budget: int = 1000
    """Tokens."""
    focus: tuple[str, ...] = ()
    """Root-relative paths of the files at hand."""
    query: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutlineReply:
    root: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsesParams:
    path: str
    """Any path inside the repository, absolute."""
    symbol: str
    """A name or the end of a qualified one, such as `Cart.add`."""
    file: str = ""
    """Root-relative path of the one file whose definition is meant; "" for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A definition or a use. `confidence` of a use: resolved, or by name."""

    path: str
    line: int
    symbol: str
    """Qualified name of the definition, or of the one that the use is in."""
    kind: str
    confidence: str = ""
    end_line: int = 0
    """Of a definition, its last line."""
    signature: str = ""
    """Of a definition, the line that holds its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsesReply:
    root: str
    definitions: tuple[Place, ...]
    uses: tuple[Place, ...]
    note: str = ""
    """What the caller should know, such as that no uses are known in the definitions' language; "" when all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InScopeParams:
    path: str
    """Any path inside the repository, absolute."""
    file: str
    """Root-relative."""
    line: int
    names: tuple[str, ...] = ()
    """What these mean there comes first; they may have dots."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InScopeReply:
    definitions: tuple[Place, ...]
    """Best first: of the names, of the class around, what imports bring in, the file's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Lines of a file that gave text, 1-based and inclusive."""

    path: str
    start_line: int
    end_line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedRequest:
    """A request that policy may let out. The gateway decides again from its own facts; nothing here is trusted."""

    request_id: str
    task: Literal["refactor", "chat"]
    workspace: str
    """Root of the workspace, absolute."""
    messages: tuple[Message, ...]
    files: tuple[str, ...]
    """Root-relative paths of every file that gave text; the gateway checks each against the exclusions."""
    lines: int
    """Lines of the workspace's text that would leave."""
    max_tokens: int
    approved_sha256: str = ""
    template: str = ""
    """Name and hash of the prompt's template, NAME:SHA256; for the audit log."""
    spans: tuple[Span, ...] = ()
    """Which lines of them; for the receipt. Each span's file is checked like those of `files`."""
    stream: bool = False
    """Whether the answer is asked for piece by piece; part of the body, so of what is approved."""
    around: tuple[str, ...] = ()
    """Text that may be newer than the files, cut wider than the messages show it; none of it leaves. A secret that a
    cut went through stands whole there, and is replaced in the messages by its pieces."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redaction:
    """A value that was replaced: its placeholder, the rule that found it, and how often it stands in the body."""

    placeholder: str
    rule: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPreview:
    """What would leave: the serialised body after redaction, where to, and by which rule."""

    endpoint: str
    model: str
    rule: str
    reason: str
    body: str
    sha256: str
    redactions: int
    needs_approval: bool
    marks: tuple[Redaction, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedReply:
    """The answer with placeholders turned back, and the receipt."""

    text: str
    endpoint: str
    model: str
    rule: str
    reason: str
    record_id: str
    redactions: int
    input_tokens: int
    output_tokens: int
    usd: float
    body_sha256: str = ""
    body_bytes: int = 0
    spans: tuple[Span, ...] = ()
    marks: tuple[Redaction, ...] = ()
    attempts: int = 1
    """How often it was sent; each has a record of its own, this is the last one's receipt."""
    secrets_written: int = 0
    """Values in the answer that look like secrets and are none of the request's; a streamed answer leaves them out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedPiece:
    """A part of a streamed answer, checked for secrets and with placeholders turned back."""

    delta: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """The empty message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexState:
    root: str
    busy: bool
    files: int
    chunks: int
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    version: str
    pid: int
    uptime_seconds: float
    clients: int
    busy: bool
    """True while any request is under way."""
    engines: tuple[EngineStatus, ...]
    indexes: tuple[IndexState, ...]
    memory_bytes: int


class HostApi(Protocol):
    """Everything a client may ask. Errors are `PointsmanError`s; cancelling the caller cancels the work."""

    async def status(self, params: Nothing) -> HostStatus: ...

    async def model(self, params: ModelParams) -> ModelFacts:
        """Raises `ModelMissing` when the files are not there, with the `pull` that brings them."""
        ...

    def generate(self, params: GenerateParams) -> AsyncGenerator[Piece | Finish, None]: ...

    def index(self, params: IndexParams) -> AsyncGenerator[IndexProgress | IndexReport, None]:
        """Build or update; progress first, the report last. A second call for the same root joins the first."""
        ...

    def adapt(self, params: AdaptParams) -> AsyncGenerator[AdaptProgress | AdaptReport, None]:
        """Let the embedder learn from the repository; progress first, the report last. The index is left to `index`."""
        ...

    async def forget(self, params: ForgetParams) -> ForgetReply:
        """Remove what the embedder learned from the repository."""
        ...

    async def search(self, params: SearchParams) -> SearchReply: ...

    async def outline(self, params: OutlineParams) -> OutlineReply:
        """The repository's map: what it leans on most, seen from the files at hand."""
        ...

    async def uses(self, params: UsesParams) -> UsesReply:
        """Where the definitions of a name are used."""
        ...

    async def in_scope(self, params: InScopeParams) -> InScopeReply:
        """What names mean at a place, by scope and imports."""
        ...

    async def closed_preview(self, params: ClosedRequest) -> ClosedPreview: ...

    async def closed_send(self, params: ClosedRequest) -> ClosedReply: ...

    def closed_stream(self, params: ClosedRequest) -> AsyncGenerator[ClosedPiece | ClosedReply, None]:
        """The answer piece by piece, the receipt last."""
        ...

    async def shutdown(self, params: Nothing) -> Nothing:
        """Stop the host once this reply is out."""
        ...
