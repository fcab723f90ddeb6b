"""Where a request was answered and what left for it, as both pipelines that may reach a closed model tell the user."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from pointsman.errors import ConfigError, GatewayError, PointsmanError, PolicyRefusal, VerificationError
from pointsman.host.api import ClosedPreview, ClosedReply, Message

Target = Literal["auto", "local", "closed"]
NO_CLOSED = (PolicyRefusal, GatewayError, ConfigError, VerificationError)
"""What the closed way fails with where a local model may do: a no, no answer, no key, a damaged log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTaken:
    """Where a request was answered and why. `endpoint` and `rule` are "" for local work without a rule."""

    target: str
    """local, closed or refused"""
    model: str
    reason: str
    endpoint: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What left for one request, by which rule, and what it cost. `record_id` is its number in the audit log."""

    record_id: str
    endpoint: str
    model: str
    rule: str
    spans: tuple[str, ...]
    """FILE:START-END of the lines that left."""
    redacted: tuple[str, ...]
    """The rule behind each value that was replaced."""
    input_tokens: int
    output_tokens: int
    usd: float
    body_bytes: int
    body_sha256: str
    attempts: int
    template: str
    """Name and hash of the prompt's template."""


class Router(Protocol):
    """Where a request may go: the policy's answer for this workspace, as it is now. May read policy files, so both are
    called in a thread."""

    def decide(
        self,
        task: str,
        root: Path,
        lines: int,
        files: int,
        target: Target,
        *,
        symbols: int = 0,
        difficulty: int = 0,
        paths: tuple[str, ...] = (),
    ) -> RouteTaken:
        """`target` of the answer: local, closed or refused."""
        ...

    def may_leave(self, root: Path, paths: frozenset[str]) -> frozenset[str]:
        """Those of the root-relative paths that policy does not keep for the local model."""
        ...

    def wants_review(self, root: Path | None) -> bool:
        """Whether policy wants every edit looked at as those of protected paths are."""
        ...


def messages_of(pairs: Sequence[tuple[str, str]]) -> tuple[Message, ...]:
    """(role, content) pairs as what is sent; nobody but the system and the user speaks in a first request."""
    return tuple(Message(role="system" if role == "system" else "user", content=text) for role, text in pairs)


def route_of(closed: ClosedPreview | ClosedReply) -> RouteTaken:
    return RouteTaken(
        target="closed", model=closed.model, reason=closed.reason, endpoint=closed.endpoint, rule=closed.rule
    )


def refusal(reason: str, rule: str) -> PolicyRefusal:
    """With what to do about it."""
    remedy = "pointsman policy trust" if rule == "workspace.untrusted" else "pointsman policy explain"
    return PolicyRefusal(reason, rule=rule, remedy=remedy)


def instead(failure: PointsmanError) -> tuple[RouteTaken, str]:
    """The local route of a request that no closed model answered, and what to tell the user: above all, whether it has
    left the machine."""
    rule = failure.rule if isinstance(failure, PolicyRefusal) else ""
    how = "sent without an answer" if failure.record else "not sent"
    note = f"The closed model was not used: {failure.told}."
    return RouteTaken(target="local", model="", reason=f"{how}: {failure.message}", rule=rule), note


def marks_of(preview: ClosedPreview) -> tuple[str, ...]:
    """Each placeholder of the preview, with the rule that put it there and how often it stands."""

    def often(count: int) -> str:
        return "once" if count == 1 else f"{count} times"

    return tuple(f"{mark.placeholder}: {mark.rule}, {often(mark.count)}" for mark in preview.marks)


def receipt_of(reply: ClosedReply, template: str) -> Receipt:
    return Receipt(
        record_id=reply.record_id,
        endpoint=reply.endpoint,
        model=reply.model,
        rule=reply.rule,
        spans=tuple(f"{span.path}:{span.start_line}-{span.end_line}" for span in reply.spans),
        redacted=tuple(mark.rule for mark in reply.marks),
        input_tokens=reply.input_tokens,
        output_tokens=reply.output_tokens,
        usd=reply.usd,
        body_bytes=reply.body_bytes,
        body_sha256=reply.body_sha256,
        attempts=reply.attempts,
        template=template,
    )
