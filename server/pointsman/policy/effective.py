"""The policy that holds for one workspace: what is left of all layers, where each value came from, and its hash."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import rfc8785

from pointsman.errors import ConfigError
from pointsman.policy.parse import Problem
from pointsman.policy.schema import ClosedWhen, CustomRule, Endpoint, OwnEndpoint, Quota, Task


@dataclass(frozen=True, kw_only=True)
class Effective:
    """Frozen. The defaults are the policy of somebody who has none: nothing leaves, secrets and PII are redacted."""

    local_only: bool = False
    """No connection to anywhere, whatever else is granted."""
    enabled: bool = False
    endpoints: tuple[Endpoint, ...] = ()
    """Closed endpoints, in the order of preference."""
    tasks: tuple[Task, ...] = ()
    quota: Quota = field(default_factory=Quota)
    regions: tuple[str, ...] | None = None
    """Regions that may be used; None is any that an endpoint states."""
    closed_when: ClosedWhen | None = None
    """What is hard enough for the closed model without being asked; None is nothing."""
    local_paths: tuple[str, ...] = ()
    """Files that only the local model may see."""
    exclude: tuple[str, ...] = ()
    redact_secrets: bool = True
    redact_pii: bool = True
    redact_custom: tuple[CustomRule, ...] = ()
    review_outbound: Literal["always", "first", "never"] = "first"
    review_edits: Literal["protected", "always"] = "protected"
    licences: tuple[str, ...] | None = None
    """SPDX ids of models that may be loaded; None is any."""
    keep_days: int = 365
    bodies_key: str | None = None
    """Public key for keeping what left, encrypted; None keeps hashes alone."""
    own: tuple[OwnEndpoint, ...] = ()
    trusted: bool = False
    """Whether the user trusts the workspace, as it is now."""
    problems: tuple[Problem, ...] = ()
    """Mistakes in layers; any one keeps the closed model and the team's own endpoints off."""
    provenance: Mapping[str, str] = field(default_factory=dict, compare=False)
    """Dotted key → layer that its value came from; "default" where no layer speaks."""

    def excluded(self) -> tuple[str, ...]:
        """`exclude`. Raises `ConfigError` where a layer that may say more cannot be read: what a mistake lets in would
        be read, searched and shown."""
        hidden = next((problem for problem in self.problems if problem.hides), None)
        if hidden is not None:
            raise ConfigError(f"what policy excludes cannot be read: {hidden}", remedy="pointsman policy check")
        return self.exclude

    @property
    def nothing_out(self) -> bool:
        """Whether nothing at all may leave this machine: so too where a layer cannot be read as it was meant."""
        return self.local_only or bool(self.problems)

    @cached_property
    def sha256(self) -> str:
        """Of the canonical form (RFC 8785) of everything that decides; the same rules give the same hash anywhere."""
        return hashlib.sha256(rfc8785.dumps(self.plain())).hexdigest()

    def plain(self) -> dict[str, Any]:
        """The rules as plain values, in the shape of the policy file."""
        return {
            "version": 1,
            "local_only": self.local_only,
            "trusted": self.trusted,
            "closed": {
                "enabled": self.enabled,
                "tasks": list(self.tasks),
                "endpoints": [endpoint.model_dump(mode="json") for endpoint in self.endpoints],
                "quota": self.quota.model_dump(mode="json"),
            },
            "route": {
                "regions": None if self.regions is None else list(self.regions),
                "closed_when": self.closed_when.model_dump(mode="json") if self.closed_when else None,
                "local_paths": list(self.local_paths),
            },
            "exclude": {"paths": list(self.exclude)},
            "redact": {
                "secrets": self.redact_secrets,
                "pii": self.redact_pii,
                "custom": [rule.model_dump(mode="json") for rule in self.redact_custom],
            },
            "review": {"outbound": self.review_outbound, "edits": self.review_edits},
            "models": {"licences": None if self.licences is None else list(self.licences)},
            "audit": {"keep_days": self.keep_days, "bodies_key": self.bodies_key},
            "own": {"endpoints": [endpoint.model_dump(mode="json") for endpoint in self.own]},
            "problems": [str(problem) for problem in self.problems],
        }
