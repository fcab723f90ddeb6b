"""What the commands say of a model: its facts as one JSON object, and as lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pointsman.cli.common import Cli

if TYPE_CHECKING:
    from pointsman.models.card import Card
    from pointsman.models.fit import Hardware
    from pointsman.models.store import ModelStore


def sorted_cards(cards: Sequence[Card]) -> list[Card]:
    """Those that write first, the smaller before the larger."""
    return sorted(cards, key=lambda card: ("embedding" in card.roles, card.parameters_m))


def row_of(cli: Cli, card: Card, store: ModelStore, machine: Hardware) -> dict[str, Any]:
    """What a list shows of it."""
    from pointsman.models.fit import fits

    settings = cli.settings
    used = {
        "completion": settings.completion_model,
        "chat": settings.answering_model,
        "embedding": settings.embedder,
    }
    found = fits(card, machine, precision=settings.precision, engine=settings.engine)
    return {
        "name": card.name,
        "title": card.title,
        "family": card.family,
        "roles": list(card.roles),
        "parameters_m": card.parameters_m,
        "licence": card.licence,
        "non_production": card.non_production,
        "needs_remote_code": card.needs_remote_code,
        "installed": store.installed(card.name),
        "used_for": [role for role, name in used.items() if name == card.name],
        "fit": {"ok": found.ok, "needed_mb": found.needed_mb, "available_mb": found.available_mb, "where": found.where},
    }


def details_of(card: Card, store: ModelStore) -> dict[str, Any]:
    """The rest of what is known of it."""
    pin, manifest = store.lock(card.name), store.manifest(card.name)
    return {
        "licence_url": card.licence_url,
        "terms": card.terms or None,
        "source": f"{card.source.kind} {card.source.location}",
        "revision": pin.revision if pin else card.source.revision,
        "trust": _trust(card, locked=pin is not None),
        "files": dict(pin.files) if pin else {},
        "context_length": card.context_length,
        "fill_in_the_middle": card.fim is not None,
        "chat": card.chat is not None,
        "stop_tokens": list(card.stop_tokens),
        "dimension": card.dimension or None,
        "memory_mb": card.memory_mb,
        "notes": card.notes,
        "version": manifest.version if manifest else None,
        "pulled_at": manifest.pulled_at if manifest else None,
        "terms_accepted_at": (manifest.terms_accepted_at or None) if manifest else None,
        "folder": str(store.folder(card.name)) if manifest else None,
    }


def _trust(card: Card, *, locked: bool) -> str:
    if card.source.kind == "pypi":
        return "hashes in the catalogue"
    if locked:
        return "locked at the first pull (trust on first use)"
    return "not locked yet: the first pull is trusted and locked (trust on first use)"


def lines_of(card: Card, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Label and value of each, from both."""
    yield "name", f"{card.name}: {card.title}"
    yield "for", ", ".join(card.roles)
    yield "parameters", f"{card.parameters_m:g} million"
    yield "licence", f"{card.licence} {card.licence_url}"
    if card.non_production:
        yield "", "not for production use"
    yield "source", f"{row['source']} {row['revision']}".rstrip()
    yield "trust", row["trust"]
    for name, sha256 in sorted(row["files"].items()):
        yield "", f"{sha256}  {name}"
    yield "context", f"{card.context_length} tokens"
    yield "completes", "in the middle" if card.fim else "at the end of text only"
    if card.dimension:
        yield "embeds", f"{card.max_tokens_embedded} tokens to {card.dimension} numbers, pooling {card.pooling}"
    yield "memory", ", ".join(f"{key} {size} MB" for key, size in card.memory_mb.items())
    fit = row["fit"]
    yield "fits", f"{'yes' if fit['ok'] else 'no'}: needs {fit['needed_mb']} MB, {fit['available_mb']} MB free"
    yield "installed", f"{row['folder']}, pulled {row['pulled_at']}" if row["installed"] else "no"
    if row["terms_accepted_at"]:
        yield "terms", f"accepted {row['terms_accepted_at']}"
    if card.notes:
        yield "notes", card.notes


def machine_line(machine: Hardware) -> str:
    devices = ", ".join(f"{device.name} {device.free_mb} MB free" for device in machine.cuda) or "no CUDA device"
    return f"this machine: {machine.cores} cores, {machine.available_mb} of {machine.total_mb} MB free, {devices}"


def warn(cli: Cli, card: Card) -> None:
    """Say what keeps it from being used, or from being used at work."""
    if card.non_production:
        cli.err.print(f"{card.name} is licensed for non-production use only: {card.licence_url}", markup=False)
    if card.needs_remote_code:
        cli.err.print(f"{card.name} cannot be used: it needs code from the hub, which is never run", markup=False)
