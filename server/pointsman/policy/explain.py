"""Policy in words: every value with the layer that it came from."""

from __future__ import annotations

from typing import Any

from pointsman.policy.effective import Effective

_ABSENT = {
    "route.regions": "any",
    "route.closed_when": "only when asked for",
    "models.licences": "any",
    "audit.bodies_key": "no bodies kept",
}
"""What None means, where it does not mean that there is no limit."""


def rows(policy: Effective) -> list[tuple[str, str, str]]:
    """(dotted key, value in words, layer) of everything that holds, in the order of the file."""
    found = []
    plain = policy.plain()
    for key, layer in policy.provenance.items():
        if key.startswith("closed.endpoints."):
            continue
        value: Any = plain
        for part in key.split("."):
            value = value[part]
        if key == "closed.endpoints":
            found.extend(_endpoint_rows(policy))
        else:
            found.append((key, _ABSENT.get(key, "no limit") if value is None else words(value), layer))
    return found


def _endpoint_rows(policy: Effective) -> list[tuple[str, str, str]]:
    if not policy.endpoints:
        return [("closed.endpoints", "none", policy.provenance["closed.endpoints"])]
    return [
        (
            f"closed.endpoints.{entry.name}",
            f"{entry.base_url} ({entry.region}), {', '.join(entry.models)}, key {entry.key}",
            policy.provenance[f"closed.endpoints.{entry.name}"],
        )
        for entry in policy.endpoints
    ]


def words(value: Any) -> str:
    """A value as a person reads it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        stated = {name: item for name, item in value.items() if item is not None}
        return ", ".join(f"{name} {words(item)}" for name, item in stated.items()) or "none"
    if isinstance(value, (list, tuple)):
        return "; ".join(words(item) for item in value) or "none"
    return str(value)
