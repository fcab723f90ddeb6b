"""From a request to the exact bytes that may leave: checked, decided, redacted, looked at once more.

Sends nothing, reserves nothing, records nothing. The decision is made here from the policy files and the request's own
facts, whatever the caller decided before.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import get_args

from pointsman import safefile
from pointsman.errors import EndpointDown, GatewayError, PolicyRefusal, UsageError
from pointsman.exclusion import rules_of
from pointsman.gateway import edges, records, redact
from pointsman.gateway.apis import APIS
from pointsman.gateway.breaker import Breaker
from pointsman.gateway.finder import Finder, Kingfisher
from pointsman.gateway.reviews import Reviews
from pointsman.host.api import ClosedRequest, Message
from pointsman.policy.effective import Effective
from pointsman.policy.route import Decision, Facts, decide
from pointsman.policy.schema import Endpoint, Quota, Task
from pointsman.routed import refusal
from pointsman_indexer.exclude import Exclusions

_ROLES = ("system", "user", "assistant")
_LARGEST_BODY = 4 << 20
_MOST_TOKENS = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request that may leave, once it is reserved and recorded."""

    policy: Effective
    decision: Decision
    endpoint: Endpoint
    workspace: Path
    body: bytes
    sha256: str
    finder: Finder
    redactor: redact.Redactor
    needs_approval: bool


class Preparer:
    """Args:
    load_policy: the policy of a workspace as its files are at that moment.
    quota_left: whether the quota allows one more request, as far as can be said before the reservation.
    secret_file: where this machine's own secret for placeholders is kept.
    """

    def __init__(
        self,
        *,
        load_policy: Callable[[Path], Effective],
        quota_left: Callable[[Quota], bool],
        kingfisher: Kingfisher,
        reviews: Reviews,
        breaker: Breaker,
        secret_file: Path,
    ) -> None:
        self._load_policy = load_policy
        self._quota_left = quota_left
        self._kingfisher = kingfisher
        self._reviews = reviews
        self._breaker = breaker
        self._secret_file = secret_file

    def policy(self, request: ClosedRequest) -> Effective:
        """The policy that judges the request, as its files are now. Blocks. Raises `UsageError`."""
        _check_form(request)
        return self._load_policy(Path(request.workspace))

    def prepare(self, request: ClosedRequest, policy: Effective) -> Prepared:
        """Blocks. Raises `PolicyRefusal`, `UsageError`, `EndpointDown`, and `GatewayError` when the text cannot be made
        clean."""
        workspace = Path(request.workspace)
        files = tuple(dict.fromkeys((*request.files, *(span.path for span in request.spans))))
        facts = Facts(
            task=request.task,
            lines=request.lines,
            files=len(files),
            local_data=bool(policy.local_paths) and kept_local(workspace, files, policy.local_paths),
            down=frozenset(e.name for e in policy.endpoints if self._breaker.is_open(e.name, e.base_url)),
            target="closed",
            trusted=policy.trusted,
            quota_left=self._quota_left(policy.quota) if policy.enabled else None,
        )
        first, offered = decide(replace(facts, down=frozenset()), policy).endpoint, policy
        # A body that is to be approved goes where it was shown to go: no other endpoint takes over unseen.
        if first and self._needs_approval(policy, workspace, first):
            offered = replace(policy, endpoints=(first,))
        decision = decide(facts, offered)
        if decision.rule == "endpoint.down":
            raise EndpointDown(decision.reason)
        if decision.target != "closed" or decision.endpoint is None:
            raise refusal(decision.reason, decision.rule)
        _check_files(workspace, files, policy.excluded())
        endpoint = decision.endpoint
        body, redactor = self._redacted(request, policy, endpoint, decision.model)
        return Prepared(
            policy=policy,
            decision=decision,
            endpoint=endpoint,
            workspace=workspace,
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            finder=redactor.finder,
            redactor=redactor,
            needs_approval=self._needs_approval(policy, workspace, endpoint),
        )

    def _needs_approval(self, policy: Effective, workspace: Path, endpoint: Endpoint) -> bool:
        if policy.review_outbound == "first":
            return not self._reviews.approved(workspace, endpoint.base_url)
        return policy.review_outbound == "always"

    def _redacted(
        self, request: ClosedRequest, policy: Effective, endpoint: Endpoint, model: str
    ) -> tuple[bytes, redact.Redactor]:
        # From the content, not from the request's id: the same content gives the same body, in any process.
        content = json.dumps([[message.role, message.content] for message in request.messages]).encode()
        finder = Finder(
            self._kingfisher, secrets=policy.redact_secrets, personal=policy.redact_pii, custom=policy.redact_custom
        )
        redactor = redact.Redactor(finder, redact.nonce(self._host_secret(), content))
        shown = [message.content for message in request.messages]
        for text in (*request.around, *edges.texts(Path(request.workspace), request.spans)):
            redactor.learn(text, shown)
        texts = redactor.redact(shown)
        messages = [
            Message(role=message.role, content=text) for message, text in zip(request.messages, texts, strict=True)
        ]
        body = APIS[endpoint.api].body(endpoint, model, messages, request.max_tokens, stream=request.stream)
        if len(body) > _LARGEST_BODY:
            raise UsageError(f"the request is larger than {_LARGEST_BODY >> 20} MB")
        redactor.check(body)
        return body, redactor

    def _host_secret(self) -> bytes:
        """Random bytes that never leave this machine, made at first use. Raises `GatewayError` or `ConfigError`."""
        try:
            found = safefile.read(self._secret_file, private=True)
        except FileNotFoundError:
            try:
                safefile.create(self._secret_file, os.urandom(32))
            except OSError as error:
                raise GatewayError(f"{self._secret_file} cannot be written ({error.strerror})") from error
            found = safefile.read(self._secret_file, private=True)
        if len(found) < 32:
            raise GatewayError(f"{self._secret_file} is damaged, so nothing is sent")
        return found


def _check_form(request: ClosedRequest) -> None:
    """Raises `UsageError`: nothing in a request is taken on trust, not even its types' ranges."""
    sound = (
        records.IDENTIFIER.fullmatch(request.request_id) is not None
        and request.task in get_args(Task)
        and Path(request.workspace).is_absolute()
        and request.messages
        and all(message.role in _ROLES for message in request.messages)
        and sum(len(message.content) for message in request.messages) <= _LARGEST_BODY
        and 1 <= request.max_tokens <= _MOST_TOKENS
        and request.lines >= 0
        and sum(map(len, request.around)) <= _LARGEST_BODY
        and len(request.files) <= records.MOST_FILES
        and len(request.spans) <= records.MOST_FILES
        and all(1 <= span.start_line <= span.end_line for span in request.spans)
    )
    if not sound:
        raise UsageError("the request to the closed model is malformed")


def kept_local(workspace: Path, files: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
    """Whether a file is one that policy keeps for the local model, by its name or by where links lead."""
    root = Path(os.path.realpath(workspace))
    kept = rules_of(root, patterns)
    # A name that leads outside counts as kept: nothing is known of it.
    return any(_named(kept, root, name) for name in files)


def _check_files(workspace: Path, files: tuple[str, ...], patterns: tuple[str, ...]) -> None:
    """Raises `PolicyRefusal` when a file is excluded or lies outside. Names none: excluded means absent."""
    root = Path(os.path.realpath(workspace))
    exclusions = rules_of(root, patterns)
    for name in files:
        path = PurePosixPath(name)
        inside = name and not path.is_absolute() and ".." not in path.parts and "\0" not in name
        real = Path(os.path.realpath(root / name)) if inside else None
        if real is None or real == root or not real.is_relative_to(root):
            raise PolicyRefusal("a file of the request lies outside the workspace", rule="exclude")
        if _named(exclusions, root, name):
            raise PolicyRefusal("a file of the request is excluded", rule="exclude.paths")


def _named(rules: Exclusions, root: Path, name: str) -> bool:
    """Whether the rules name a file, by its name or by where links lead."""
    real = os.path.relpath(os.path.realpath(root / name), root)
    return bool(rules.excludes(PurePosixPath(name).as_posix()) or rules.excludes(real))
