"""Entries for `policy.toml` from what is known of common endpoints: address, region, retention, differences.

Data, not behaviour: the gateway sees the written entry alone. Prices are never preset: they change, and the quota
reckons with what the policy says.
"""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from pointsman.errors import NotFound, UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    name: str
    title: str
    entry: dict[str, Any]
    """Fields of the endpoint that are not the user's to say."""
    facts: tuple[str, ...]
    sources: tuple[str, ...]
    read: str
    """When the sources were read."""


@cache
def all_presets() -> dict[str, Preset]:
    text = resources.files("pointsman.policy").joinpath("presets.toml").read_text("utf-8")
    return {name: _preset(name, dict(value)) for name, value in tomllib.loads(text).items()}


def get(name: str) -> Preset:
    """Raises `NotFound`."""
    found = all_presets().get(name)
    if found is None:
        raise NotFound(f"no preset {name!r}", remedy=f"one of {', '.join(all_presets())}")
    return found


def entry(preset: Preset, *, models: tuple[str, ...], prices: tuple[float, float], **chosen: str) -> str:
    """The commented entry as text. `chosen` overrides fields of the preset; "" leaves them.

    Raises `UsageError` when something is still to be filled in.
    """
    fields = {"name": preset.name, **preset.entry, **{key: value for key, value in chosen.items() if value}}
    for key in ("base_url", "region"):
        if any(word in str(fields[key]) for word in ("RESOURCE", "REGION", "HOST")):
            option = "--base-url" if key == "base_url" else "--region"
            raise UsageError(f"{preset.title}: the {key} is yours to say", remedy=f"{option}, as in {fields[key]}")
    lines = [f"# {preset.title}. Facts of {preset.read}; they age."]
    lines += [f"#   {fact}" for fact in preset.facts]
    lines += [f"#   Source: {source}" for source in preset.sources]
    lines.append("[[closed.endpoints]]")
    lines += [f"{key} = {json.dumps(value)}" for key, value in fields.items()]
    lines.append(f"models = {json.dumps(list(models))}")
    lines.append(f"usd_per_mtok = {{ input = {prices[0]!r}, output = {prices[1]!r} }}")
    return "\n".join(lines) + "\n"


def _preset(name: str, value: dict[str, Any]) -> Preset:
    return Preset(
        name=name,
        title=value.pop("title"),
        facts=tuple(value.pop("facts")),
        sources=tuple(value.pop("sources")),
        read=value.pop("read"),
        entry=value,
    )
