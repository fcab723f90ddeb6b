"""`pointsman models`: what there is, what is installed, what fits, and under which licence; pull, verify, use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, get_args

import click

from pointsman.cli.cards import details_of, lines_of, machine_line, row_of, sorted_cards, warn
from pointsman.cli.common import Cli, Group, json_option, visible
from pointsman.cli.pulling import check_may_download, pull_card, pulled, tell
from pointsman.errors import ConfigError, UsageError, VerificationError
from pointsman.settings import EngineChoice

if TYPE_CHECKING:
    from pointsman.models.catalogue import Catalogue
    from pointsman.models.store import ModelStore

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
    rows = [row_of(cli, card, store, machine) for card in sorted_cards(catalogue.cards)]
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
    cli.err.print(machine_line(machine), markup=False)


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
    check_may_download(cli)
    allowed = _allowed_licences(cli)
    if not names:
        check_names(cli.settings, catalogue)
    cards = [catalogue.get(name) for name in names or defaults(cli.settings)]
    for card in cards:
        check_licence(card, allowed)
    done = []
    for card in cards:
        result = pull_card(cli, store, card, allowed, relock=relock, accepted=accept_terms)
        done.append(pulled(card, result))
        tell(cli, card, result)
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
    row = {**row_of(cli, card, store, hardware(device=cli.settings.device)), **details_of(card, store)}
    if as_json:
        cli.emit(row)
        return
    for label, value in lines_of(card, row):
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
        warn(cli, card)
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
        for card in sorted_cards(catalogue.cards)
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
