"""What the audit log says of a request: hashes and sizes, never text and never a path. Pure."""

from __future__ import annotations

import hashlib
import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import re2

from pointsman.errors import PointsmanError, PolicyRefusal, UsageError
from pointsman.gateway.quota import Charge
from pointsman.host.api import ClosedRequest
from pointsman.policy.schema import Task

if TYPE_CHECKING:
    from pointsman.gateway.prepare import Prepared

MOST_FILES = 1000
"""Files and spans of a request, at most."""
IDENTIFIER = re2.compile(r"[A-Za-z0-9._:-]{1,128}")
"""What a record may hold of the caller's words as it is."""


def intent(record: str, attempt: int, prepared: Prepared, request: ClosedRequest, bound: Charge) -> dict[str, Any]:
    """Written before the first byte leaves."""
    return {
        **_identity(record, request),
        **_destination(prepared),
        "attempt": attempt,
        "approved": prepared.needs_approval,
        "body_bytes": len(prepared.body),
        "spans": [[_sha256(span.path), span.start_line, span.end_line] for span in request.spans],
        "redactions": prepared.redactor.count,
        "redaction_rules": list(prepared.redactor.rules),
        "tokens": bound.tokens,
        "usd": bound.micro_usd / 1e6,
        "status": "sending",
    }


def outcome(record: str, prepared: Prepared, status: str, charge: Charge | None) -> dict[str, Any]:
    """How it went; no charge when nothing left."""
    return {
        "id": record,
        **_destination(prepared),
        "tokens": charge.tokens if charge else 0,
        "usd": charge.micro_usd / 1e6 if charge else 0.0,
        "status": status,
    }


def refused(record: str, request: ClosedRequest, refusal: PointsmanError, policy_sha256: str) -> dict[str, Any]:
    """Something that did not leave, and the rule that kept it, or the kind of failure that did."""
    malformed = isinstance(refusal, UsageError)
    rule = refusal.rule if isinstance(refusal, PolicyRefusal) else f"gateway.{refusal.code}"
    return {
        **(_identity(record, request) if not malformed else _identity_of_anything(record, request)),
        "rule": rule,
        "policy_sha256": policy_sha256,
        "status": "refused",
    }


def unasked(task: str, workspace: Path, files: Iterable[str], rule: str, policy_sha256: str) -> dict[str, Any]:
    """A closed model that was asked for by name and refused before a request to it was made."""
    return {
        "id": uuid.uuid4().hex,
        "request_id": "",
        "task": task,
        "files": [_sha256(name) for name in files][:MOST_FILES],
        "workspace": _workspace(workspace),
        "rule": rule,
        "policy_sha256": policy_sha256,
        "status": "refused",
    }


def _identity(record: str, request: ClosedRequest) -> dict[str, Any]:
    """Who asked: hashes instead of paths, since a name can tell a secret too."""
    return {
        "id": record,
        "request_id": request.request_id,
        "task": request.task,
        "template": _identifier(request.template),
        "files": [_sha256(name) for name in request.files],
        "workspace": _workspace(Path(request.workspace)),
    }


def _identity_of_anything(record: str, request: ClosedRequest) -> dict[str, Any]:
    """The same of a request that is not sound: nothing of it is written down as it stands."""
    return {
        "id": record,
        "request_id": _identifier(request.request_id),
        "task": request.task if request.task in get_args(Task) else "",
        "files": [_sha256(name) for name in request.files[:MOST_FILES]],
        "workspace": _sha256(request.workspace),
    }


def _identifier(text: str) -> str:
    """As it stands when it is one, else its hash."""
    return text if not text or IDENTIFIER.fullmatch(text) else _sha256(text)


def _destination(prepared: Prepared) -> dict[str, Any]:
    return {
        "endpoint": prepared.endpoint.name,
        "model": prepared.decision.model,
        "rule": prepared.decision.rule,
        "policy_sha256": prepared.policy.sha256,
        "body_sha256": prepared.sha256,
    }


def _workspace(root: Path) -> str:
    return hashlib.sha256(os.fsencode(os.path.realpath(root))).hexdigest()


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
