"""Most restrictive wins: layers of policy, from the strongest to the weakest, to the one that holds.

Pure. The organisation bounds the user; the repository and `POINTSMAN_POLICY` take away from what is left. No layer can
give back what a stronger one did not grant: for any request, allowed(with a further layer) ⊆ allowed(without it).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeVar

from pointsman.policy.effective import Effective
from pointsman.policy.parse import Problem
from pointsman.policy.schema import (
    ClosedWhen,
    Endpoint,
    EndpointLimit,
    LimitFile,
    OwnEndpoint,
    PolicyFile,
    Price,
    Quota,
)

T = TypeVar("T")
_OUTBOUND = ("never", "first", "always")
_EDITS = ("protected", "always")


@dataclass(frozen=True, slots=True)
class Grant:
    """A layer that may grant: the organisation's or the user's."""

    layer: str
    file: PolicyFile


@dataclass(frozen=True, slots=True)
class Limit:
    """A layer that may only take away."""

    layer: str
    file: LimitFile


def merge(
    grants: Sequence[Grant], limits: Sequence[Limit], *, trusted: bool, problems: Iterable[Problem] = ()
) -> Effective:
    """The policy that holds. `grants` and `limits` are in the order of strength; any problem switches off what leaves
    the machine, and one that may hide an exclusion what reads it (`Effective.excluded`)."""
    state = _State()
    for number, grant in enumerate(grants):
        state.grant(grant, first=number == 0)
    for limit in limits:
        state.limit(limit)
    found = tuple(problems)
    effective = dataclasses.replace(
        state.effective, trusted=trusted, problems=found, provenance=MappingProxyType(state.provenance)
    )
    if found or effective.local_only:
        effective = dataclasses.replace(effective, enabled=False, own=())
    return effective


class _State:
    """The policy so far, and which layer each value came from."""

    def __init__(self) -> None:
        self.effective = Effective()
        self.provenance: dict[str, str] = dict.fromkeys(_KEYS, "default")

    def grant(self, grant: Grant, *, first: bool) -> None:
        layer, file = grant.layer, grant.file
        closed, own = file.closed, file.own
        if first:
            if closed is not None:
                self._set(layer, "closed.enabled", "enabled", bool(closed.enabled))
                self._set(layer, "closed.tasks", "tasks", closed.tasks or ())
                self._endpoints(layer, closed.endpoints)
            if own is not None:
                self._set(layer, "own.endpoints", "own", own.endpoints)
        else:
            if closed is not None:
                self._narrow_closed(layer, closed.enabled or False, closed.tasks or ())
                self._endpoints(layer, _both(self.effective.endpoints, closed.endpoints))
            if own is not None:
                self._set(layer, "own.endpoints", "own", _same(self.effective.own, own.endpoints))
        if closed is not None:
            self._quota(layer, closed.quota)
        self._terms(layer, file, may_route=True)
        if (key := file.audit.bodies_key) is not None and self.effective.bodies_key is None:
            self._set(layer, "audit.bodies_key", "bodies_key", key)

    def limit(self, limit: Limit) -> None:
        layer, file = limit.layer, limit.file
        if file.closed is not None:
            closed = file.closed
            self._narrow_closed(layer, closed.enabled, closed.tasks)
            if closed.endpoints is not None:
                self._endpoints(layer, _narrowed(self.effective.endpoints, closed.endpoints))
            self._quota(layer, closed.quota)
        if file.own is not None:
            kept = {entry.name for entry in file.own.endpoints}
            own = tuple(entry for entry in self.effective.own if entry.name in kept)
            self._set(layer, "own.endpoints", "own", own)
        self._terms(layer, file, may_route=False)

    def _narrow_closed(self, layer: str, enabled: bool | None, tasks: tuple[str, ...] | None) -> None:
        if enabled is not None:
            self._set(layer, "closed.enabled", "enabled", self.effective.enabled and enabled)
        if tasks is not None:
            self._set(layer, "closed.tasks", "tasks", _common(self.effective.tasks, tasks))

    def _endpoints(self, layer: str, endpoints: tuple[Endpoint, ...]) -> None:
        before = {entry.name: entry for entry in self.effective.endpoints}
        for entry in endpoints:
            if before.get(entry.name) != entry:
                self.provenance[f"closed.endpoints.{entry.name}"] = layer
        for name in before.keys() - {entry.name for entry in endpoints}:
            del self.provenance[f"closed.endpoints.{name}"]
        self._set(layer, "closed.endpoints", "endpoints", endpoints)

    def _quota(self, layer: str, quota: Quota) -> None:
        limits = {}
        for name in Quota.model_fields:
            before, here = getattr(self.effective.quota, name), getattr(quota, name)
            limits[name] = _lowest(before, here)
            if limits[name] != before:
                self.provenance[f"closed.quota.{name}"] = layer
        self.effective = dataclasses.replace(self.effective, quota=Quota.model_validate(limits))

    def _terms(self, layer: str, file: PolicyFile | LimitFile, *, may_route: bool) -> None:
        """Everything that both kinds of layer can say in the same way."""
        now = self.effective
        route, redact, review = file.route, file.redact, file.review
        if file.local_only is not None:
            self._set(layer, "local_only", "local_only", now.local_only or file.local_only)
        if route.regions is not None:
            regions = route.regions if now.regions is None else _common(now.regions, route.regions)
            self._set(layer, "route.regions", "regions", regions)
        if route.closed_when is not None and (now.closed_when is not None or may_route):
            self._set(layer, "route.closed_when", "closed_when", _harder(now.closed_when, route.closed_when))
        self._set(layer, "route.local_paths", "local_paths", _union(now.local_paths, route.local_paths))
        self._set(layer, "exclude.paths", "exclude", _union(now.exclude, file.exclude.paths))
        for key, name, value in (
            ("redact.secrets", "redact_secrets", redact.secrets),
            ("redact.pii", "redact_pii", redact.pii),
        ):
            if value is not None:
                # The default is on; the strongest layer that speaks may switch it off, the others only on again.
                unset = self.provenance[key] == "default" and may_route
                self._set(layer, key, name, value if unset else getattr(now, name) or value, restate=unset)
        self._set(layer, "redact.custom", "redact_custom", _union(now.redact_custom, redact.custom))
        for key, name, choice, order in (
            ("review.outbound", "review_outbound", review.outbound, _OUTBOUND),
            ("review.edits", "review_edits", review.edits, _EDITS),
        ):
            if choice is not None:
                unset = self.provenance[key] == "default" and may_route
                strictest = max(getattr(now, name), choice, key=order.index)
                self._set(layer, key, name, choice if unset else strictest, restate=unset)
        if (licences := file.models.licences) is not None:
            kept = licences if now.licences is None else _common(now.licences, licences)
            self._set(layer, "models.licences", "licences", kept)
        if (days := file.audit.keep_days) is not None:
            unset = self.provenance["audit.keep_days"] == "default" and may_route
            self._set(layer, "audit.keep_days", "keep_days", days if unset else max(days, now.keep_days), restate=unset)

    def _set(self, layer: str, key: str, name: str, value: Any, *, restate: bool = False) -> None:
        """Take `value`; the layer is noted as its source when it changed anything, or merely stated it first."""
        changed = getattr(self.effective, name) != value
        if changed or restate:
            self.provenance[key] = layer
        if changed:
            self.effective = dataclasses.replace(self.effective, **{name: value})


_KEYS = (
    "local_only",
    "closed.enabled",
    "closed.tasks",
    "closed.endpoints",
    *(f"closed.quota.{name}" for name in Quota.model_fields),
    "route.regions",
    "route.closed_when",
    "route.local_paths",
    "exclude.paths",
    "redact.secrets",
    "redact.pii",
    "redact.custom",
    "review.outbound",
    "review.edits",
    "models.licences",
    "audit.keep_days",
    "audit.bodies_key",
    "own.endpoints",
)


def _common(upper: tuple[T, ...], lower: Iterable[object]) -> tuple[T, ...]:
    kept = set(lower)
    return tuple(item for item in upper if item in kept)


def _union(upper: tuple[T, ...], lower: Iterable[T]) -> tuple[T, ...]:
    return tuple(dict.fromkeys((*upper, *lower)))


def _lowest(upper: float | None, lower: float | None) -> float | None:
    return lower if upper is None else upper if lower is None else min(upper, lower)


def _dearest(upper: Price, lower: Price) -> Price:
    return Price(input=max(upper.input, lower.input), output=max(upper.output, lower.output))


def _harder(upper: ClosedWhen | None, lower: ClosedWhen) -> ClosedWhen:
    """Each threshold at its highest; one that either side leaves out can no longer be reached."""
    if upper is None:
        return lower

    def highest(name: str) -> int | None:
        a, b = getattr(upper, name), getattr(lower, name)
        return None if a is None or b is None else max(a, b)

    return ClosedWhen.model_validate({name: highest(name) for name in ClosedWhen.model_fields})


def _both(upper: tuple[Endpoint, ...], lower: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """Endpoints that both layers list in the same way. The user's key reference is kept: the key store is theirs, and
    the address that it goes to is the same."""
    mine = {entry.name: entry for entry in lower}
    found = []
    for entry in upper:
        other = mine.get(entry.name)
        if (
            other is None
            or not _agrees(entry, other, strictly=True)
            or not (models := _common(entry.models, other.models))
        ):
            continue
        price = _dearest(entry.usd_per_mtok, other.usd_per_mtok)
        found.append(entry.model_copy(update={"models": models, "key": other.key, "usd_per_mtok": price}))
    return tuple(found)


def _narrowed(upper: tuple[Endpoint, ...], lower: tuple[EndpointLimit, ...]) -> tuple[Endpoint, ...]:
    limits = {entry.name: entry for entry in lower}
    found = []
    for entry in upper:
        limit = limits.get(entry.name)
        if limit is None or not _agrees(entry, limit):
            continue
        models = entry.models if limit.models is None else _common(entry.models, limit.models)
        if models:
            price = _dearest(entry.usd_per_mtok, limit.usd_per_mtok or entry.usd_per_mtok)
            found.append(entry.model_copy(update={"models": models, "usd_per_mtok": price}))
    return tuple(found)


_ADDRESS = ("base_url", "region", "api", "limit", "network", "proxy", "ca_file")


def _agrees(entry: Endpoint, other: Endpoint | EndpointLimit, *, strictly: bool = False) -> bool:
    """Whether the other layer means the same place, reached in the same way; `strictly` in what it leaves out too."""
    silent: tuple[None, ...] = () if strictly else (None,)
    return all(getattr(other, name) in (*silent, getattr(entry, name)) for name in _ADDRESS)


def _same(upper: tuple[OwnEndpoint, ...], lower: tuple[OwnEndpoint, ...]) -> tuple[OwnEndpoint, ...]:
    """Own endpoints that both layers list; the key reference is the user's."""
    mine = {entry.name: entry for entry in lower}
    return tuple(
        mine[entry.name]
        for entry in upper
        if entry.name in mine and mine[entry.name].model_copy(update={"key": entry.key}) == entry
    )
