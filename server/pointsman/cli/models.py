"""`pointsman models`: what there is, what is installed, what fits, and under which licence; pull, verify, use."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import click

from pointsman.cli.common import Cli, Group, json_option, visible
from pointsman.errors import ConfigError, PolicyRefusal, UsageError, VerificationError
from pointsman.settings import EngineChoice

if TYPE_CHECKING:
    from pointsman.models.card import Card
    from pointsman.models.catalogue import Catalogue
    from pointsman.models.fit import Hardware
    from pointsman.models.pull import PullProgress
    from pointsman.models.store import ModelStore, PullResult

Purpose = Literal["completion", "chat", "embedding"]
_SETTING: dict[str, str] = {"completion": "completion_model", "chat": "chat_model", "embedding": "embedder"}


@click.group(cls=Group)
def models() -> None:
    """The model catalogue and what is installed."""


@models.command("list")
@json_option
@click.pass_obj
def list_(cli: Cli, as_json: bool) -> None:
    """All models: what is installed, in use, and fits this machine."""
    from pointsman.models.fit import hardware

    catalogue, store = _open(cli)
    machine = hardware(device=cli.settings.device)
    rows = [_row(cli, card, store, machine) for card in _sorted(catalogue.cards)]
    if as_json:
        cli.emit({"models": rows})
        return
    line = "{:<28} {:<17} {:>7}  {:<5} {:<10} {}".format
    cli.console.print(line("model", "for", "size", "fits", "installed", "licence"), style="bold", markup=False)
    for row in rows:
        marks = "in use" if row["used_for"] and row["installed"] else "yes" if row["installed"] else ""
        fitting = "never" if row["needs_remote_code"] else "yes" if row["fit"]["ok"] else "no"
        licence = row["licence"] + (" (not for production)" if row["non_production"] else "")
        size = f"{row['parameters_m'] / 1000:.1f} B" if row["parameters_m"] >= 1000 else f"{row['parameters_m']:.0f} M"
        cli.console.print(line(row["name"], ", ".join(row["roles"]), size, fitting, marks, licence), markup=False)
    cli.err.print(_machine_line(machine), markup=False)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--accept-terms", is_flag=True, help="Accept the licence terms of the named models without a question.")
@click.option("--relock", is_flag=True, help="Take a hub model's newest revision and trust it anew.")
@json_option
@click.pass_obj
def pull(cli: Cli, names: tuple[str, ...], accept_terms: bool, relock: bool, as_json: bool) -> None:
    """Download and verify models. Without NAME: this machine's defaults, which are those that the settings use."""
    from pointsman.models.catalogue import check_names, defaults
    from pointsman.models.store import check_licence

    catalogue, store = _open(cli)
    _may_download(cli)
    allowed = _allowed_licences(cli)
    if not names:
        check_names(cli.settings, catalogue)
    cards = [catalogue.get(name) for name in names or defaults(cli.settings)]
    for card in cards:
        check_licence(card, allowed)
    done = []
    for card in cards:
        try:
            result = _pull(cli, store, card, allowed, relock=relock, accepted=accept_terms)
        except PolicyRefusal as error:
            if error.rule != "models.terms" or not _accepts(card):
                raise
            result = _pull(cli, store, card, allowed, relock=relock, accepted=True)
        done.append(_pulled(card, result))
        _tell(cli, card, result)
    if as_json:
        cli.emit({"models": done})


@models.command()
@click.argument("name")
@json_option
@click.pass_obj
def info(cli: Cli, name: str, as_json: bool) -> None:
    """The model card of NAME: licence, provenance, context, memory."""
    from pointsman.models.fit import hardware

    catalogue, store = _open(cli)
    card = catalogue.get(name)
    row = {**_row(cli, card, store, hardware(device=cli.settings.device)), **_details(card, store)}
    if as_json:
        cli.emit(row)
        return
    for label, value in _lines(card, row):
        cli.console.print(f"{label:<12} {visible(value)}", markup=False)
    if card.terms:
        cli.console.print(f"\n{card.terms}", markup=False)


@models.command()
@click.argument("names", nargs=-1, metavar="[NAME]...")
@json_option
@click.pass_obj
def verify(cli: Cli, names: tuple[str, ...], as_json: bool) -> None:
    """Read every file of NAME, or of all installed models, and compare its sha256."""
    catalogue, store = _open(cli)
    chosen = names or tuple(card.name for card in catalogue.cards if store.installed(card.name))
    failures: dict[str, VerificationError] = {}
    for name in chosen:
        try:
            store.verify(name)
        except VerificationError as error:
            failures[name] = error
        if not as_json:
            reason = failures[name].message if name in failures else "ok"
            cli.console.print(f"{name:<28} {visible(reason)}", markup=False)
    if as_json:
        cli.emit(
            {
                "models": [
                    {"name": n, "ok": n not in failures, "reason": failures[n].message if n in failures else None}
                    for n in chosen
                ]
            }
        )
    if failures:
        raise next(iter(failures.values()))


@models.command()
@click.argument("name")
@click.option("--for", "purpose", type=click.Choice(get_args(Purpose)), help="What for; default: all that it can do.")
@click.option("--engine", type=click.Choice(get_args(EngineChoice)), help="Also choose the engine.")
@json_option
@click.pass_obj
def use(cli: Cli, name: str, purpose: Purpose | None, engine: EngineChoice | None, as_json: bool) -> None:
    """Use NAME from the next request on. It must be installed, unless an own endpoint runs it."""
    from pointsman.cli.settings_file import write_settings
    from pointsman.models.fit import check_fit, hardware
    from pointsman.models.store import check_licence, check_usable

    catalogue, store = _open(cli)
    card = catalogue.get(name)
    if purpose is not None and purpose not in card.roles:
        raise UsageError(f"{name} is not for {purpose}", remedy=f"it is for {', '.join(card.roles)}")
    check_licence(card, _allowed_licences(cli))
    check_usable(card)
    settings = cli.settings
    if (engine or settings.engine) != "own" or "embedding" in card.roles:  # an own endpoint embeds nothing
        store.folder(name)
    if engine == "own":
        check_own(cli)
    check_fit(
        card,
        hardware(device=cli.settings.device),
        precision=settings.precision,
        engine=engine or settings.engine,
        alternatives=[other for other in catalogue.cards if store.installed(other.name)] or catalogue.cards,
    )
    values: dict[str, str] = {_SETTING[role]: name for role in ((purpose,) if purpose else card.roles)}
    if engine is not None:
        values["engine"] = engine
    write_settings(cli.paths.settings_file, values)
    if as_json:
        cli.emit({"file": str(cli.paths.settings_file), "settings": values})
    else:
        cli.console.print(", ".join(f"{key} = {value}" for key, value in values.items()), markup=False)
        _warn(cli, card)
    if "chat" not in card.roles and "completion_model" in values and not settings.chat_model:
        note = f"{name} answers and refactors too now, and is not made for that: pointsman models use NAME --for chat"
        cli.err.print(note, style="yellow", markup=False)


@models.command()
@click.argument("name")
@json_option
@click.pass_obj
def rollback(cli: Cli, name: str, as_json: bool) -> None:
    """Return to the version of NAME that the last pull replaced; again to come back."""
    _, store = _open(cli)
    result = store.rollback(name)
    if as_json:
        cli.emit({"name": name, "version": result.version, "replaced": result.replaced, "folder": str(result.folder)})
    else:
        cli.console.print(f"{name} is version {result.version} again; {result.replaced} stays on disk", markup=False)


@models.command()
@json_option
@click.pass_obj
def licences(cli: Cli, as_json: bool) -> None:
    """The licence of every model."""
    catalogue, store = _open(cli)
    allowed = _allowed_licences(cli)
    rows = [
        {
            "name": card.name,
            "licence": card.licence,
            "url": card.licence_url,
            "non_production": card.non_production,
            "terms": bool(card.terms),
            "allowed": allowed is None or card.licence in allowed,
            "installed": store.installed(card.name),
        }
        for card in _sorted(catalogue.cards)
    ]
    if as_json:
        cli.emit({"models": rows})
        return
    for row in rows:
        notes = [
            "not for production" if row["non_production"] else "",
            "terms to accept" if row["terms"] else "",
            "" if row["allowed"] else "not allowed by policy",
        ]
        note = "; ".join(text for text in notes if text)
        cli.console.print(f"{row['name']:<28} {row['licence']:<30} {row['url']}  {note}", markup=False)


def _open(cli: Cli) -> tuple[Catalogue, ModelStore]:
    from pointsman.models.catalogue import load_catalogue
    from pointsman.models.store import ModelStore

    catalogue = load_catalogue()
    return catalogue, ModelStore(cli.paths, catalogue, hub_endpoint=cli.settings.hub_endpoint)


def _allowed_licences(cli: Cli) -> Sequence[str] | None:
    """What policy allows; None allows all. No workspace is asked: models belong to the user."""
    from pointsman.policy import layers

    return layers.load(cli.paths, None).licences


def check_own(cli: Cli) -> None:
    """Raises `ConfigError` when policy does not list the own endpoint that engine = "own" would use."""
    from pointsman.policy import layers

    wanted = cli.settings.own_endpoint
    if not any(wanted in ("", entry.name) for entry in layers.load(cli.paths, None).own):
        raise ConfigError(
            f"policy lists no own endpoint {wanted}".rstrip(),
            remedy="add one under [[own.endpoints]] in policy.toml: docs/policy.md",
        )


def _may_download(cli: Cli) -> None:
    """Raises `PolicyRefusal` where policy keeps everything on this machine."""
    from pointsman.policy import layers

    policy = layers.load(cli.paths, None)
    if policy.problems:
        raise PolicyRefusal(
            "policy has mistakes, so no model is downloaded", rule="policy.problems", remedy="pointsman policy check"
        )
    if policy.local_only:
        raise PolicyRefusal(
            "policy keeps everything on this machine, so no model is downloaded",
            rule="local_only",
            remedy="copy the folder of an installed model from another machine: docs/policy.md",
        )


def _sorted(cards: Sequence[Card]) -> list[Card]:
    return sorted(cards, key=lambda card: ("embedding" in card.roles, card.parameters_m))


def _row(cli: Cli, card: Card, store: ModelStore, machine: Hardware) -> dict[str, Any]:
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


def _details(card: Card, store: ModelStore) -> dict[str, Any]:
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


def _lines(card: Card, row: dict[str, Any]) -> Iterator[tuple[str, str]]:
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


def _pull(
    cli: Cli, store: ModelStore, card: Card, allowed: Sequence[str] | None, *, relock: bool, accepted: bool
) -> PullResult:
    with _progress(cli) as report:
        return store.pull(card.name, accept_terms=accepted, progress=report, allowed_licences=allowed, relock=relock)


def _accepts(card: Card) -> bool:
    """Show the terms and ask, where there is a terminal to ask on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    click.echo(card.terms, err=True)
    return click.confirm(f"Accept these terms for {card.name}?", err=True)


@contextlib.contextmanager
def _progress(cli: Cli) -> Iterator[Callable[[PullProgress], None]]:
    """A progress bar on stderr; nothing where stderr is no terminal or with `-q`."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=cli.err, transient=True, disable=not cli.err.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def report(progress: PullProgress) -> None:
            text = f"{progress.name}: {progress.stage} {visible(progress.file)}"
            bar.update(task, description=text, completed=progress.done, total=progress.total or None)

        yield report


def _pulled(card: Card, result: PullResult) -> dict[str, Any]:
    return {
        "name": card.name,
        "version": result.version,
        "changed": result.changed,
        "folder": str(result.folder),
        "bytes": result.bytes,
        "licence": card.licence,
        "locked": {"revision": result.locked.revision, "files": dict(result.locked.files)} if result.locked else None,
    }


def _tell(cli: Cli, card: Card, result: PullResult) -> None:
    state = "installed" if result.changed else "is installed already"
    cli.err.print(f"{card.name} {state}: {result.bytes / 1e6:.0f} MB, verified, {card.licence}", markup=False)
    if result.locked is not None:
        cli.err.print(f"  trusted on first use and locked: revision {visible(result.locked.revision)}", markup=False)
        for name, sha256 in sorted(result.locked.files.items()):
            cli.err.print(f"  {sha256}  {visible(name)}", markup=False)
    _warn(cli, card)


def _warn(cli: Cli, card: Card) -> None:
    if card.non_production:
        cli.err.print(f"{card.name} is licensed for non-production use only: {card.licence_url}", markup=False)
    if card.needs_remote_code:
        cli.err.print(f"{card.name} cannot be used: it needs code from the hub, which is never run", markup=False)


def _machine_line(machine: Hardware) -> str:
    devices = ", ".join(f"{device.name} {device.free_mb} MB free" for device in machine.cuda) or "no CUDA device"
    return f"this machine: {machine.cores} cores, {machine.available_mb} of {machine.total_mb} MB free, {devices}"
