"""The only way out to a closed model: prepare, admit, reserve, record, and only then send.

Each step that fails ends the request with nothing sent, and leaves a record of that. Every attempt goes through all
of them again. Holds no state but files and which endpoints failed just now; knows nothing of HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import stamina
import stamina.instrumentation

from pointsman.errors import GatewayError, PointsmanError, PolicyRefusal
from pointsman.gateway import keys, pricing, records
from pointsman.gateway.audit import NOTHING_SENT, AuditLog
from pointsman.gateway.bodies import SealedBodies
from pointsman.gateway.breaker import Breaker
from pointsman.gateway.finder import Kingfisher
from pointsman.gateway.holdback import HoldBack
from pointsman.gateway.prepare import Prepared, Preparer
from pointsman.gateway.quota import Charge, QuotaStore
from pointsman.gateway.reviews import Reviews
from pointsman.host.api import ClosedPiece, ClosedPreview, ClosedReply, ClosedRequest, Redaction
from pointsman.policy.effective import Effective
from pointsman.settings import Paths

if TYPE_CHECKING:
    from pointsman.gateway.apis import Answer
    from pointsman.gateway.egress import Caps

T = TypeVar("T")
_Parts = AsyncGenerator[ClosedPiece | ClosedReply, None]

stamina.instrumentation.set_on_retry_hooks([])  # They would note what is tried again: the request.


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a request is tried in all, and the seconds before it is tried again."""

    attempts: int = 3
    first_wait: float = 0.5
    longest_wait: float = 8.0
    """An endpoint that asks for a longer wait is not asked again."""
    total: float = 30.0


@dataclass(slots=True)
class _Run:
    """One sending; `record` is its id in the audit log and the quota."""

    record: str
    attempt: int
    policy_sha256: str = ""
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
        retry: Retry | None = None,
        breaker: Breaker | None = None,
    ) -> None:
        self._caps = caps
        self._retry = retry or Retry()
        self._breaker = breaker or Breaker()
        self._audit = AuditLog(paths.audit)
        self._bodies = SealedBodies(paths.audit_bodies)
        self._quota = QuotaStore(paths.quota)
        self._reviews = Reviews(paths.data / "reviewed.json")
        self._preparer = Preparer(
            load_policy=load_policy,
            quota_left=self._quota.left,
            kingfisher=kingfisher or Kingfisher(paths.cache),
            reviews=self._reviews,
            breaker=self._breaker,
            secret_file=paths.data / "gateway-secret",
        )

    async def preview(self, request: ClosedRequest) -> ClosedPreview:
        """The exact body that `send` would send for the same request. Sends nothing; a no is recorded as one of `send`
        is, for a caller that looks first will not send.

        Raises `PolicyRefusal`, `GatewayError`, `ConfigError`, `UsageError`.
        """
        run = _Run(uuid.uuid4().hex, 1)
        try:
            prepared = await asyncio.to_thread(self._prepare, run, request)
        except PointsmanError as refusal:
            await _to_its_end(asyncio.to_thread(self._record_refusal, run, request, refusal))
            raise
        return ClosedPreview(
            endpoint=prepared.endpoint.name,
            model=prepared.decision.model,
            rule=prepared.decision.rule,
            reason=prepared.decision.reason,
            body=prepared.body.decode("utf-8"),
            sha256=prepared.sha256,
            redactions=prepared.redactor.count,
            needs_approval=prepared.needs_approval,
            marks=_marks(prepared),
        )

    async def send(self, request: ClosedRequest) -> ClosedReply:
        """Send the request and return its answer with the redacted values back in place.

        Raises `PolicyRefusal` when it may not leave, `GatewayError` or `VerificationError` when it cannot be redacted,
        charged or recorded, or the endpoint fails, `ConfigError` for a bad key reference or pattern file, `UsageError`.
        """
        async with contextlib.aclosing(self.stream(request)) as parts:
            async for part in parts:
                if isinstance(part, ClosedReply):
                    return part
        raise GatewayError("the answer broke off")

    async def stream(self, request: ClosedRequest) -> _Parts:
        """As `send`, piece by piece when the request asks for that; the receipt last. Tried again only before the
        first piece. An error says as its `record` which attempt left the machine last, if one did."""
        tried, left = 0, ""

        async def opened() -> tuple[_Parts, ClosedPiece | ClosedReply]:
            nonlocal tried, left
            tried += 1
            parts = self._attempt(request, tried)
            try:
                return parts, await anext(parts)
            except BaseException as error:
                await parts.aclose()
                if isinstance(error, PointsmanError):
                    error.record = left = error.record or left
                raise

        retry = self._retry
        caller = stamina.AsyncRetryingCaller(
            attempts=retry.attempts,
            timeout=retry.total,
            wait_initial=retry.first_wait,
            wait_max=retry.longest_wait,
            wait_jitter=retry.first_wait,
        )
        parts, part = await caller.on(self._worth_another)(opened)
        async with contextlib.aclosing(parts):
            yield part
            async for part in parts:
                yield part

    def _worth_another(self, error: Exception) -> bool | float:
        """Whether a failure may be over in a moment; the seconds to wait where the endpoint says how long."""
        if not isinstance(error, GatewayError) or not error.passing or error.wait > self._retry.longest_wait:
            return False
        return error.wait or True

    async def _attempt(self, request: ClosedRequest, number: int) -> _Parts:
        run = _Run(uuid.uuid4().hex, number)
        try:
            prepared = await asyncio.to_thread(self._prepare, run, request)
            key = await asyncio.to_thread(self._admit, prepared, request)
            bound = pricing.bound(prepared.endpoint, len(prepared.body), request.max_tokens)
            await _to_its_end(asyncio.to_thread(self._begin, run, prepared, request, bound))
        except PointsmanError as refusal:
            await _to_its_end(asyncio.to_thread(self._record_refusal, run, request, refusal))
            raise
        except asyncio.CancelledError:
            if run.begun:
                await _to_its_end(asyncio.to_thread(self._end, run, prepared, "cancelled", None))
            raise
        except Exception as error:
            # A mistake of ours while judging is a no. Its own words may quote the request.
            no = GatewayError(f"the request could not be judged ({type(error).__name__}), so nothing is sent")
            await _to_its_end(asyncio.to_thread(self._record_refusal, run, request, no))
            raise no from None
        from pointsman.gateway import egress

        try:
            async with contextlib.aclosing(self._exchange(run, prepared, request, key, bound)) as parts:
                async for part in parts:
                    yield part
        except egress.EndpointFailure:
            raise  # It knows whether anything left.
        except PointsmanError as error:
            error.record = run.record
            error.message = error.message.removesuffix(NOTHING_SENT)
            raise

    async def _exchange(
        self, run: _Run, prepared: Prepared, request: ClosedRequest, key: keys.Key, bound: Charge
    ) -> _Parts:
        # Imported here, so that no HTTP client is loaded where nothing is ever sent.
        from pointsman.gateway import egress

        endpoint = prepared.endpoint
        held = HoldBack(prepared.finder, prepared.redactor) if request.stream else None
        answer: Answer | None = None
        shown: list[str] = []
        exchange = egress.Exchange(endpoint, key, prepared.body, self._caps or egress.Caps())
        try:
            async with contextlib.aclosing(exchange.run()) as parts:
                async for part in parts:
                    if not isinstance(part, str):
                        answer = part
                    elif held is not None and (text := await asyncio.to_thread(held.feed, part)):
                        shown.append(text)
                        yield ClosedPiece(delta=text)
            if answer is None:
                raise egress.EndpointFailure(
                    f"the answer of {endpoint.name} broke off", status="unusable answer", cost="bound"
                )
            if held is not None and not shown:
                held.reset(answer.text)
            if held is not None and (text := await asyncio.to_thread(held.end)):
                shown.append(text)
                yield ClosedPiece(delta=text)
        except egress.EndpointFailure as failure:
            if failure.outage:
                self._breaker.failed(endpoint.name, endpoint.base_url)
            charge = {"nothing": None, "request": Charge(tokens=0, micro_usd=0), "bound": bound}[failure.cost]
            await _to_its_end(asyncio.to_thread(self._end, run, prepared, failure.status, charge))
            failure.record = "" if charge is None else run.record
            raise
        except BaseException:
            await _to_its_end(asyncio.to_thread(self._end, run, prepared, "broken off", bound))
            raise
        self._breaker.worked(endpoint.name, endpoint.base_url)
        secrets = held.secrets if held is not None else await asyncio.to_thread(_written, prepared, answer.text)
        used_in, used_out = pricing.used(answer, len(prepared.body), request.max_tokens)
        charge = pricing.charge(endpoint, used_in, used_out)
        await _to_its_end(asyncio.to_thread(self._end, run, prepared, "answered", charge, answer.text))
        yield ClosedReply(
            text=prepared.redactor.restore(answer.text) if held is None else "".join(shown),
            endpoint=endpoint.name,
            model=prepared.decision.model,
            rule=prepared.decision.rule,
            reason=prepared.decision.reason,
            record_id=run.record,
            redactions=prepared.redactor.count,
            input_tokens=used_in,
            output_tokens=used_out,
            usd=charge.micro_usd / 1e6,
            body_sha256=prepared.sha256,
            body_bytes=len(prepared.body),
            spans=request.spans,
            marks=_marks(prepared),
            attempts=run.attempt,
            secrets_written=secrets,
        )

    def _prepare(self, run: _Run, request: ClosedRequest) -> Prepared:
        policy = self._preparer.policy(request)
        run.policy_sha256 = policy.sha256
        return self._preparer.prepare(request, policy)

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
        importlib.import_module("pointsman.gateway.egress")  # Takes a moment, which is not for the event loop.
        return key

    def _begin(self, run: _Run, prepared: Prepared, request: ClosedRequest, bound: Charge) -> None:
        """Reserve and record; after this, and only then, bytes may leave."""
        policy, endpoint = prepared.policy, prepared.endpoint
        self._quota.reserve(run.record, bound, policy.quota)
        try:
            if prepared.needs_approval and policy.review_outbound == "first":
                self._reviews.remember(prepared.workspace, endpoint.base_url)
            sealed = self._bodies.keep(run.record, "request", prepared.body, policy.bodies_key)
            self._audit.append("intent", records.intent(run.record, run.attempt, prepared, request, bound) | sealed)
        except BaseException:
            self._quota.release(run.record)
            raise
        run.begun = True
        self._breaker.try_now(endpoint.name, endpoint.base_url)
        with contextlib.suppress(PointsmanError, OSError):  # What is too old leaves another time.
            self._bodies.prune(self._audit.prune(policy.keep_days))

    def _end(self, run: _Run, prepared: Prepared, status: str, charge: Charge | None, reply: str | None = None) -> None:
        """Record how it went and settle; None means that nothing left, so nothing is charged."""
        try:
            sealed = {}
            if reply is not None:
                sealed = self._bodies.keep(run.record, "reply", reply.encode(), prepared.policy.bodies_key)
            self._audit.append("outcome", records.outcome(run.record, prepared, status, charge) | sealed)
        finally:
            if charge is None:
                self._quota.release(run.record)
            else:
                self._quota.settle(run.record, charge)

    def _record_refusal(self, run: _Run, request: ClosedRequest, refusal: PointsmanError) -> None:
        try:
            self._audit.append("refused", records.refused(run.record, request, refusal, run.policy_sha256))
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


def _marks(prepared: Prepared) -> tuple[Redaction, ...]:
    text = prepared.body.decode("utf-8")
    return tuple(
        Redaction(placeholder=name, rule=rule, count=count) for name, rule, count in prepared.redactor.marks(text)
    )


def _written(prepared: Prepared, text: str) -> int:
    """How many secrets an answer holds besides placeholders. One that cannot be scanned to its end counts as one."""
    try:
        return len(prepared.redactor.uncovered(text, prepared.finder.find(text)))
    except GatewayError:
        return 1
