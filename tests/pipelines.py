"""A scripted host and friends for the tests of the three pipelines."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from pointsman.errors import PointsmanError
from pointsman.host.api import (
    ClosedPiece,
    ClosedPreview,
    ClosedReply,
    ClosedRequest,
    GenerateParams,
    HostStatus,
    IndexParams,
    IndexProgress,
    IndexReport,
    InScopeParams,
    InScopeReply,
    ModelFacts,
    ModelParams,
    Nothing,
    OutlineParams,
    OutlineReply,
    Place,
    SearchHit,
    SearchParams,
    SearchReply,
    UsesParams,
    UsesReply,
)
from pointsman.models.base import Finish, Piece
from pointsman.models.card import ChatTemplate, FillInTheMiddle
from pointsman.routed import RouteTaken
from pointsman.session import Snapshot

SPECIAL = ("<|im_start|>", "<|im_end|>", "<PRE>", "<SUF>", "<MID>", "<FILE>")
CHAT = ChatTemplate(
    turns={role: (f"<|im_start|>{role}\n", "<|im_end|>\n") for role in ("system", "user", "assistant")},
    open="<|im_start|>assistant\n",
)
FIM = FillInTheMiddle(prefix="<PRE>", suffix="<SUF>", middle="<MID>")


def facts(**changes: object) -> ModelFacts:
    values: dict[str, object] = {
        "name": "tiny",
        "parameters_m": 1500.0,
        "context_length": 4096,
        "begin": "",
        "fim": None,
        "chat": CHAT,
        "special_tokens": SPECIAL,
    }
    return ModelFacts(**{**values, **changes})  # type: ignore[arg-type]


TINY = facts()


class FakeHost:
    """Answers each generation with the next of `answers`, then with nothing; records what it was asked."""

    def __init__(self, *answers: str, facts: ModelFacts = TINY, hits: Sequence[SearchHit] = ()) -> None:
        self.answers = list(answers)
        self.facts = facts
        self.hits = tuple(hits)
        self.note = ""
        self.complete = True
        self.likeness: float | None = None
        self.hits_of: dict[str, tuple[SearchHit, ...]] = {}
        """By query, in place of `hits`."""
        self.map = ""
        self.places: dict[str, UsesReply] = {}
        self.scope: dict[str, tuple[Place, ...]] = {}
        """By file."""
        self.blobs: dict[str, str | None] = {}
        """Of files that are no longer what the hits are of."""
        self.asked: list[GenerateParams] = []
        self.searched: list[SearchParams] = []
        self.sent: list[ClosedRequest] = []
        self.closed_streams = 0
        self.pieces_given = 0
        self.streaming = asyncio.Event()
        """Set with the second piece of any answer."""
        self.searching = asyncio.Event()
        """Set with the first search."""
        self.piece_delay = 0.0
        self.heals = True
        """Whether answers begin with what the prompt held back, as those of our engines do."""
        self.search_delay = 0.0
        self.redactions = 1
        self.closed_answer = ""
        self.closed_answers: list[str] = []
        """Taken one by one before `closed_answer`."""
        self.refusal: PointsmanError | None = None
        self.needs_approval = False

    def blob_of(self, root: Path, path: str) -> str | None:
        return self.blobs.get(path, "a" * 40)

    async def status(self, params: Nothing) -> HostStatus:
        raise NotImplementedError

    async def shutdown(self, params: Nothing) -> Nothing:
        raise NotImplementedError

    def index(self, params: IndexParams) -> AsyncGenerator[IndexProgress | IndexReport, None]:
        raise NotImplementedError

    async def model(self, params: ModelParams) -> ModelFacts:
        return self.facts

    async def generate(self, params: GenerateParams) -> AsyncGenerator[Piece | Finish, None]:
        self.asked.append(params)
        text, reason = self.answers.pop(0) if self.answers else "", "stop"
        begin = params.request.sampling.begin
        if self.heals and not text.startswith(begin):
            text = begin + text
        for stop in params.request.sampling.stop:
            text = text.split(stop)[0]
        if len(text) > params.request.sampling.max_tokens * 4:
            text, reason = text[: params.request.sampling.max_tokens * 4], "length"
        try:
            for at in range(0, len(text), 4):
                await asyncio.sleep(self.piece_delay)
                self.pieces_given += 1
                if self.pieces_given > 1:
                    self.streaming.set()
                yield Piece(text=text[at : at + 4], logprob=-0.5, tokens=1)
            yield Finish(
                reason=reason,  # type: ignore[arg-type]
                model=self.facts.name,
                prompt_tokens=9,
                reused_tokens=3,
                tokens=len(text) // 4 + 1,
                queue_ms=1.0,
                prefill_ms=2.0,
                decode_ms=3.0,
            )
        finally:
            self.closed_streams += 1

    async def search(self, params: SearchParams) -> SearchReply:
        self.searched.append(params)
        self.searching.set()
        await asyncio.sleep(self.search_delay)
        hits = self.hits_of.get(params.query, self.hits)
        return SearchReply(root=params.path, hits=hits, note=self.note, likeness=self.likeness, complete=self.complete)

    async def outline(self, params: OutlineParams) -> OutlineReply:
        return OutlineReply(root=params.path, text=self.map)

    async def uses(self, params: UsesParams) -> UsesReply:
        return self.places.get(params.symbol, UsesReply(root=params.path, definitions=(), uses=()))

    async def in_scope(self, params: InScopeParams) -> InScopeReply:
        return InScopeReply(definitions=self.scope.get(params.file, ()))

    async def closed_preview(self, params: ClosedRequest) -> ClosedPreview:
        if self.refusal:
            raise self.refusal
        body = "\n".join(message.content for message in params.messages)
        return ClosedPreview(
            endpoint="openai",
            model="big",
            rule="closed.endpoints.openai",
            reason="allowed",
            body=body,
            sha256=f"sha-of-{len(body)}",
            redactions=self.redactions,
            needs_approval=self.needs_approval,
        )

    async def closed_stream(self, params: ClosedRequest) -> AsyncGenerator[ClosedPiece | ClosedReply, None]:
        reply = await self.closed_send(params)
        for at in range(0, len(reply.text), 7):
            yield ClosedPiece(delta=reply.text[at : at + 7])
        yield reply

    async def closed_send(self, params: ClosedRequest) -> ClosedReply:
        if self.refusal:
            raise self.refusal
        self.sent.append(params)
        return ClosedReply(
            text=self.closed_answers.pop(0) if self.closed_answers else self.closed_answer,
            endpoint="openai",
            model="big-2",
            rule="closed.endpoints.openai",
            reason="allowed",
            record_id="r1",
            redactions=self.redactions,
            input_tokens=10,
            output_tokens=10,
            usd=0.0,
        )

    @property
    def prompt(self) -> str:
        """The last prompt."""
        return self.asked[-1].request.prompt


class Rules:
    """Excludes paths that hold `secret`."""

    def excludes(self, relative: str) -> str | None:
        return "built-in: secret" if "secret" in relative else None

    fingerprint = "secret"


def rules(root: Path) -> Rules:
    return Rules()


class FixedRouter:
    """Gives one target, and remembers what it was asked."""

    def __init__(self, target: str, reason: str = "because", *, reviews: bool = False) -> None:
        self.target = target
        self.reviews = reviews
        self.reason = reason
        self.asked: list[tuple[object, ...]] = []

    def decide(self, task: str, root: Path, lines: int, files: int, target: str, **measured: object) -> RouteTaken:
        self.measured = measured
        self.asked.append((task, root, lines, files, target))
        return RouteTaken(target=self.target, model="", reason=self.reason, rule="route.test")

    def may_leave(self, root: Path, paths: frozenset[str]) -> frozenset[str]:
        return frozenset(path for path in paths if "kept" not in path)

    def wants_review(self, root: Path | None) -> bool:
        return self.reviews


def snapshot(text: str, *, root: Path = Path("/repo"), name: str = "pkg/a.py", language: str = "python") -> Snapshot:
    return Snapshot(uri=(root / name).as_uri(), path=root / name, root=root, language=language, version=1, text=text)


def marked(text: str) -> tuple[str, int]:
    """The text without its `‸`, and where that was."""
    return text.replace("‸", ""), text.index("‸")


def place(path: str, line: int, symbol: str = "", kind: str = "function", confidence: str = "") -> Place:
    return Place(path=path, line=line, symbol=symbol, kind=kind, confidence=confidence)


def hit(path: str, text: str, *, start: int = 1, symbol: str = "", fresh: bool = True) -> SearchHit:
    return SearchHit(
        path=path,
        start_line=start,
        end_line=start + text.count("\n"),
        symbol=symbol,
        kind="function",
        language="python",
        score=0.5,
        sha="a" * 40,
        fresh=fresh,
        text=text,
    )
