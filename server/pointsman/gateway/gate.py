"""The only way out to a closed model: prepare, admit, reserve, record, and only then send.

Each step that fails ends the request with nothing sent. Holds no state but files; knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import os
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pointsman.errors import GatewayError, PointsmanError, PolicyRefusal
from pointsman.gateway import chatapi, keys
from pointsman.gateway.audit import AuditLog
from pointsman.gateway.finder import Kingfisher
from pointsman.gateway.prepare import Prepared, Preparer
from pointsman.gateway.quota import Charge, QuotaStore, micro
from pointsman.gateway.reviews import Reviews
from pointsman.host.api import ClosedPreview, ClosedReply, ClosedRequest
from pointsman.policy.effective import Effective
from pointsman.policy.schema import Endpoint
from pointsman.settings import Paths

if TYPE_CHECKING:
    from pointsman.gateway.egress import Caps

T = TypeVar("T")


@dataclass(slots=True)
class _Run:
    """One sending; `record` is its id in the audit log and the quota."""

    record: str
    begun: bool = False
    """Reserved and recorded, so that its end must be as well."""


class Gateway:
    """One per user. `load_policy` gives the policy of a workspace as its files are at that moment."""

    def __init__(
        self,
        paths: Paths,
        load_policy: Callable[[Path], Effective],
        *,
        kingfisher: Kingfisher | None = None,
        caps: Caps | None = None,
    ) -> None:
        self._caps = caps
        self._audit = AuditLog(paths.audit)
        self._quota = QuotaStore(paths.data / "quota.sqlite3")
        self._reviews = Reviews(paths.data / "reviewed.json")
        self._preparer = Preparer(
            load_policy=load_policy,
            quota_left=self._quota.left,
            kingfisher=kingfisher or Kingfisher(paths.cache),
            reviews=self._reviews,
            secret_file=paths.data / "gateway-secret",
        )

    async def preview(self, request: ClosedRequest) -> ClosedPreview:
        """The exact body that `send` would send for the same request. Sends nothing.

        Raises `PolicyRefusal`, `GatewayError`, `ConfigError`, `UsageError`.
        """
        prepared = await asyncio.to_thread(self._preparer.prepare, request)
        return ClosedPreview(
            endpoint=prepared.endpoint.name,
            model=prepared.decision.model,
            rule=prepared.decision.rule,
            reason=prepared.decision.reason,
            body=prepared.body.decode("utf-8"),
            sha256=prepared.sha256,
            redactions=prepared.redactor.count,
            needs_approval=prepared.needs_approval,
        )

    async def send(self, request: ClosedRequest) -> ClosedReply:
        """Send the request and return its answer with the redacted values back in place.

        Raises `PolicyRefusal` when it may not leave, `GatewayError` or `VerificationError` when it cannot be redacted,
        charged or recorded, or the endpoint fails, `ConfigError` for a bad key reference or pattern file, `UsageError`.
        """
        run = _Run(uuid.uuid4().hex)
        try:
            prepared = await asyncio.to_thread(self._preparer.prepare, request)
            key = await asyncio.to_thread(self._admit, prepared, request)
            bound = _bound(prepared, request.max_tokens)
            await _to_its_end(asyncio.to_thread(self._begin, run, prepared, request, bound))
        except PolicyRefusal as refusal:
            await _to_its_end(asyncio.to_thread(self._record_refusal, run, request, refusal))
            raise
        except asyncio.CancelledError:
            if run.begun:
                await _to_its_end(asyncio.to_thread(self._end, run, prepared, "cancelled", None))
            raise
        return await self._exchange(run, prepared, request, key, bound)

    async def _exchange(
        self, run: _Run, prepared: Prepared, request: ClosedRequest, key: keys.Key, bound: Charge
    ) -> ClosedReply:
        # Imported here, so that no HTTP client is loaded where nothing is ever sent.
        from pointsman.gateway import egress

        try:
            answer = await egress.ask(
                prepared.endpoint.name, prepared.endpoint.base_url, key, prepared.body, self._caps
            )
        except egress.EndpointFailure as failure:
            charge = {"nothing": None, "request": Charge(tokens=0, micro_usd=0), "bound": bound}[failure.cost]
            await _to_its_end(asyncio.to_thread(self._end, run, prepared, failure.status, charge))
            raise
        except BaseException:
            await _to_its_end(asyncio.to_thread(self._end, run, prepared, "broken off", bound))
            raise
        used_in, used_out = _plausible(answer, len(prepared.body), request.max_tokens)
        charge = Charge(tokens=used_in + used_out, micro_usd=_price(prepared.endpoint, used_in, used_out))
        await _to_its_end(asyncio.to_thread(self._end, run, prepared, "answered", charge))
        return ClosedReply(
            text=prepared.redactor.restore(answer.text),
            endpoint=prepared.endpoint.name,
            model=prepared.decision.model,
            rule=prepared.decision.rule,
            reason=prepared.decision.reason,
            record_id=run.record,
            redactions=prepared.redactor.count,
            input_tokens=used_in,
            output_tokens=used_out,
            usd=charge.micro_usd / 1e6,
        )

    def _admit(self, prepared: Prepared, request: ClosedRequest) -> keys.Key:
        """The last checks before anything is reserved: a person's approval, and the key."""
        if prepared.needs_approval and request.approved_sha256 != prepared.sha256:
            raise PolicyRefusal(
                "this outgoing body has not been approved",
                rule="review.outbound",
                remedy=f"look at the preview (--dry-run), then send it with the approval {prepared.sha256}",
            )
        key = keys.resolve(prepared.endpoint.key)
        if key.reveal().encode() in prepared.body:
            raise GatewayError("the outgoing body holds the API key itself, so nothing is sent")
        importlib.import_module("pointsman.gateway.egress")  # Takes a second, which is not for the event loop.
        return key

    def _begin(self, run: _Run, prepared: Prepared, request: ClosedRequest, bound: Charge) -> None:
        """Reserve and record; after this, and only then, bytes may leave."""
        self._quota.reserve(run.record, bound, prepared.policy.quota)
        try:
            if prepared.needs_approval and prepared.policy.review_outbound == "first":
                self._reviews.remember(prepared.workspace, prepared.endpoint.base_url)
            self._audit.append(
                "intent",
                {
                    **_identity(run, request),
                    **_destination(prepared),
                    "approved": prepared.needs_approval,
                    "body_bytes": len(prepared.body),
                    "redactions": prepared.redactor.count,
                    "redaction_rules": list(prepared.redactor.rules),
                    "tokens": bound.tokens,
                    "usd": bound.micro_usd / 1e6,
                    "status": "sending",
                },
            )
        except BaseException:
            self._quota.release(run.record)
            raise
        run.begun = True

    def _end(self, run: _Run, prepared: Prepared, status: str, charge: Charge | None) -> None:
        """Record how it went and settle; None means that nothing left, so nothing is charged."""
        try:
            self._audit.append(
                "outcome",
                {
                    "id": run.record,
                    **_destination(prepared),
                    "tokens": charge.tokens if charge else 0,
                    "usd": charge.micro_usd / 1e6 if charge else 0.0,
                    "status": status,
                },
            )
        finally:
            if charge is None:
                self._quota.release(run.record)
            else:
                self._quota.settle(run.record, charge)

    def _record_refusal(self, run: _Run, request: ClosedRequest, refusal: PolicyRefusal) -> None:
        try:
            self._audit.append("refused", {**_identity(run, request), "rule": refusal.rule, "status": "refused"})
        except PointsmanError as error:
            # The refusal stands, and the user must still learn of the log's state.
            refusal.add_note(error.message)


async def _to_its_end(work: Awaitable[T]) -> T:
    """Await `work`; when cancelled meanwhile, wait until it is done all the same, so that no record is left half."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task})
        if not task.cancelled():
            task.exception()  # Looked at, so that asyncio does not report it: the cancellation is what counts.
        raise


def _identity(run: _Run, request: ClosedRequest) -> dict[str, Any]:
    """Who asked: hashes instead of paths, since a name can tell a secret too."""
    return {
        "id": run.record,
        "request_id": request.request_id,
        "task": request.task,
        "files": [hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest() for name in request.files],
        "workspace": hashlib.sha256(os.fsencode(os.path.realpath(request.workspace))).hexdigest(),
    }


def _destination(prepared: Prepared) -> dict[str, Any]:
    return {
        "endpoint": prepared.endpoint.name,
        "model": prepared.decision.model,
        "rule": prepared.decision.rule,
        "policy_sha256": prepared.policy.sha256,
        "body_sha256": prepared.sha256,
    }


def _bound(prepared: Prepared, max_tokens: int) -> Charge:
    """The most that a request can cost: no tokeniser makes more tokens of a text than it has bytes."""
    size = len(prepared.body)
    return Charge(tokens=size + max_tokens, micro_usd=_price(prepared.endpoint, size, max_tokens))


def _price(endpoint: Endpoint, input_tokens: int, output_tokens: int) -> int:
    price = endpoint.usd_per_mtok
    return micro((input_tokens * price.input + output_tokens * price.output) / 1e6)


def _plausible(answer: chatapi.Answer, body_bytes: int, max_tokens: int) -> tuple[int, int]:
    """What the endpoint says it used, or the bound where it says nothing or more than can be."""
    used_in, used_out = answer.input_tokens, answer.output_tokens
    return (
        body_bytes if used_in is None or used_in > body_bytes else used_in,
        max_tokens if used_out is None or used_out > max_tokens else used_out,
    )
