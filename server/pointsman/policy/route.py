"""Who does a request: a pure function of facts and policy, default deny.

Reads only the user's action and trusted configuration. Nothing that a repository or a model wrote is among the facts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from pointsman.policy.effective import Effective
from pointsman.policy.schema import Endpoint

SPOKEN = ("chat",)
"""APIs that the gateway can speak."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a request. What is left out counts against the closed model."""

    task: str
    """completion, refactor or chat"""
    lines: int = 0
    """Lines of the workspace's text that would leave."""
    files: int = 0
    target: Literal["auto", "local", "closed"] = "auto"
    trusted: bool = False
    quota_left: bool | None = None
    """None: not known here; the gateway reserves before it sends, whatever this says."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    target: Literal["local", "closed", "refused"]
    rule: str
    """The deciding line, as a dotted key of the policy file, or `target.…`, `task.…`, `workspace.…`, `policy.…`."""
    reason: str
    """One sentence for the user."""
    endpoint: Endpoint | None = None
    model: str = ""


def decide(facts: Facts, policy: Effective) -> Decision:
    """Local, closed with the endpoint and model, or refused when the closed model was asked for and may not be used."""
    if facts.target == "local":
        return Decision(target="local", rule="target.local", reason="the local model was asked for")
    obstacle = _obstacle(facts, policy)
    if obstacle is None and facts.target == "auto":
        obstacle = _too_easy(facts, policy)
    if obstacle is not None:
        rule, reason = obstacle
        return Decision(target="local" if facts.target == "auto" else "refused", rule=rule, reason=reason)
    endpoint = usable(policy)[0]
    if facts.target == "closed":
        rule, why = f"closed.endpoints.{endpoint.name}", "the closed model was asked for"
    else:
        rule, why = _reached(facts, policy)
    return Decision(
        target="closed",
        rule=rule,
        reason=f"{why}; policy lists {endpoint.name} for {facts.task}",
        endpoint=endpoint,
        model=endpoint.models[0],
    )


def usable(policy: Effective) -> tuple[Endpoint, ...]:
    """Listed endpoints in an allowed region whose API the gateway speaks, in the order of preference."""
    return tuple(
        entry
        for entry in policy.endpoints
        if entry.api in SPOKEN and (policy.regions is None or entry.region in policy.regions)
    )


def _obstacle(facts: Facts, policy: Effective) -> tuple[str, str] | None:
    """The first thing that forbids the closed model, as (rule, reason)."""
    if facts.task == "completion":
        return "task.completion", "completion never leaves this machine"
    if facts.target not in ("auto", "closed") or facts.lines < 0 or facts.files < 0:
        return "policy.facts", "the request is not described in a way that policy can judge"
    if policy.problems:
        return "policy.problem", f"a policy file is wrong: {policy.problems[0]}"
    if not policy.endpoints:
        return "closed", "no policy lists a closed endpoint"
    if not policy.enabled:
        return "closed.enabled", "the closed model is switched off"
    if not (facts.trusted and policy.trusted):
        return "workspace.untrusted", "this workspace is not trusted"
    if facts.task not in policy.tasks:
        return "closed.tasks", f"policy does not allow the closed model for {facts.task}"
    if not usable(policy):
        if policy.regions is not None and not any(entry.region in policy.regions for entry in policy.endpoints):
            return "route.regions", "no listed endpoint is in an allowed region"
        return "closed.endpoints", "this version speaks the API of no endpoint that may be used"
    if facts.quota_left is False:
        return "closed.quota", "the quota is used up"
    return None


def _too_easy(facts: Facts, policy: Effective) -> tuple[str, str] | None:
    if policy.closed_when is None:
        return "route.closed_when", "policy names nothing as hard enough for the closed model"
    if not _reached(facts, policy)[0]:
        return "route.closed_when", f"{facts.lines} lines in {facts.files} files are for the local model"
    return None


def _reached(facts: Facts, policy: Effective) -> tuple[str, str]:
    """The threshold that the request reaches, as (rule, reason); ("", "") when it reaches none."""
    when = policy.closed_when
    if when is not None and when.min_lines is not None and facts.lines >= when.min_lines:
        return "route.closed_when.min_lines", f"{facts.lines} lines, at least {when.min_lines}"
    if when is not None and when.files is not None and facts.files >= when.files:
        return "route.closed_when.files", f"{facts.files} files, at least {when.files}"
    return "", ""
