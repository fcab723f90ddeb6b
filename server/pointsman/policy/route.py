"""Who does a request: a pure function of facts and policy, default deny.

Reads only the user's action and trusted configuration. Nothing that a repository or a model wrote is among the facts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from pointsman.policy.effective import Effective
from pointsman.policy.schema import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known about a request. What is left out counts against the closed model."""

    task: str
    """completion, refactor or chat"""
    lines: int = 0
    """Lines of the workspace's text that would leave."""
    files: int = 0
    symbols: int = 0
    """Functions, methods and classes that the request touches."""
    difficulty: int = 0
    """Branches and loops in the text to change, nested ones counted more; measured, never told by a model."""
    local_data: bool = False
    """Whether any of the files is one that policy keeps for the local model."""
    down: frozenset[str] = frozenset()
    """Names of endpoints that failed just now, and that are not asked again yet."""
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
    endpoint = next(entry for entry in usable(policy) if entry.name not in facts.down)
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


def preferring(choice: Literal["auto", "local", "closed"], facts: Facts, policy: Effective) -> Decision:
    """As `decide`, for a user whose settings prefer one of the two where a request does not say.

    A preference for the closed model counts where policy allows it, and is no reason to refuse where it does not.
    """
    if facts.target != "auto" or choice == "auto":
        return decide(facts, policy)
    if choice == "local":
        return Decision(target="local", rule="settings.target", reason="the settings prefer the local model")
    found = decide(replace(facts, target="closed"), policy)
    return found if found.target == "closed" else replace(found, target="local")


def usable(policy: Effective) -> tuple[Endpoint, ...]:
    """Listed endpoints in an allowed region, in the order of preference."""
    return tuple(entry for entry in policy.endpoints if policy.regions is None or entry.region in policy.regions)


def _obstacle(facts: Facts, policy: Effective) -> tuple[str, str] | None:
    """The first thing that forbids the closed model, as (rule, reason)."""
    if facts.task == "completion":
        return "task.completion", "completion never leaves this machine"
    if facts.target not in ("auto", "closed") or min(facts.lines, facts.files, facts.symbols, facts.difficulty) < 0:
        return "policy.facts", "the request is not described in a way that policy can judge"
    if policy.problems:
        return "policy.problem", f"a policy file is wrong: {policy.problems[0]}"
    if policy.local_only:
        return "local_only", "policy keeps everything on this machine"
    if not policy.endpoints:
        return "closed", "no policy lists a closed endpoint"
    if not policy.enabled:
        return "closed.enabled", "the closed model is switched off"
    if not (facts.trusted and policy.trusted):
        return "workspace.untrusted", "this workspace is not trusted"
    if facts.task not in policy.tasks:
        return "closed.tasks", f"policy does not allow the closed model for {facts.task}"
    if facts.local_data:
        return "route.local_paths", "policy keeps a file of the request for the local model"
    if not usable(policy):
        return "route.regions", "no listed endpoint is in an allowed region"
    if all(entry.name in facts.down for entry in usable(policy)):
        return "endpoint.down", (
            "every endpoint that may be used failed just now, and rests for half a minute: ask again then, or locally"
        )
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
    for name, value, words in (
        ("min_lines", facts.lines, "lines"),
        ("files", facts.files, "files"),
        ("symbols", facts.symbols, "symbols"),
        ("difficulty", facts.difficulty, "points of difficulty"),
    ):
        least = getattr(policy.closed_when, name, None)
        if least is not None and value >= least:
            return f"route.closed_when.{name}", f"{value} {words}, at least {least}"
    return "", ""
