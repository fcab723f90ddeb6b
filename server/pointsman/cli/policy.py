"""`pointsman policy`: what may leave this machine, which layer says so, and which workspaces are trusted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal, get_args

import click

from pointsman import safefile
from pointsman.cli.common import Cli, Group, existing, json_option, visible
from pointsman.errors import ConfigError, GatewayError, UsageError
from pointsman.gateway.prepare import kept_local
from pointsman.gateway.quota import QuotaStore
from pointsman.policy import explain as in_words
from pointsman.policy import layers, lint, presets
from pointsman.policy.effective import Effective
from pointsman.policy.parse import Problem, parse
from pointsman.policy.route import Decision, Facts, preferring
from pointsman.policy.schema import PolicyFile
from pointsman.policy.trust import Trust

_TASKS = ("refactor", "chat", "completion")
_Target = Literal["auto", "local", "closed"]


@click.group(cls=Group)
def policy() -> None:
    """What may leave this machine, and why."""


@policy.command()
@click.argument("path", default=".")
@json_option
@click.pass_obj
def show(cli: Cli, path: str, as_json: bool) -> None:
    """The policy that holds for PATH's workspace; each value with the layer that it came from."""
    root = _workspace(path)
    found = layers.load(cli.paths, root)
    used = _used(cli)
    if as_json:
        cli.emit(_plain(root, found) | {"used": used})
        return
    cli.console.print(f"{visible(str(root))}: {'trusted' if found.trusted else 'not trusted'}", markup=False)
    rows = in_words.rows(found)
    width = max(len(key) for key, _, _ in rows)
    for key, value, layer in rows:
        cli.console.print(f"  {key:<{width}}  {visible(value)}  [{layer}]", markup=False)
    cli.console.print(f"  {'sha256':<{width}}  {found.sha256}", markup=False)
    if used is not None:
        for period in ("day", "month"):
            sums = used[period]
            spent = f"{sums['requests']} requests, {sums['tokens']} tokens, {sums['usd']:.4f} USD"
            cli.console.print(f"  {f'used this {period}':<{width}}  {spent}", markup=False)
        if stale := used["unsettled"]:
            cli.err.print(f"{len(stale)} requests never came to an end and stay charged at their bound", style="yellow")
    _print_problems(cli, found.problems)


@policy.command()
@click.argument("paths", nargs=-1, metavar="[FILE…|PATH]")
@click.option("--layer", type=click.Choice(get_args(layers.Layer)), help="Read FILE as this layer.")
@click.option("--organisation", type=click.Path(), help="Take this file for the organisation's layer.")
@click.option("--strict", is_flag=True, help="Exit 1 for warnings too.")
@json_option
@click.pass_obj
def check(
    cli: Cli, paths: tuple[str, ...], layer: layers.Layer | None, organisation: str | None, strict: bool, as_json: bool
) -> None:
    """Check policy files, or all layers of PATH's workspace. Exit 1 when one is wrong.

    For an organisation's CI: `policy check --layer organisation --strict policy.toml`. Needs no model and no host.
    """
    problems: list[Problem] = []
    warned: list[str] = []
    above = existing(organisation) if organisation else None
    for path in map(existing, paths or (".",)):
        if path.is_dir():
            found = layers.load(cli.paths, _workspace(path), organisation=above)
        else:
            found = layers.check(path, layer)
        problems += found.problems
        warned += lint.warnings(found)
    if as_json:
        cli.emit(
            {
                "ok": not problems and not (strict and warned),
                "problems": [_problem(problem) for problem in problems],
                "warnings": warned,
            }
        )
    for problem in problems[1:]:
        cli.err.print(visible(str(problem)), markup=False)
    if not as_json:
        for warning in warned:
            cli.err.print(f"warning: {visible(warning)}", style="yellow", markup=False)
    if problems:
        raise ConfigError(str(problems[0]), remedy="the closed model stays off until this is mended")
    if strict and warned:
        raise ConfigError(f"{len(warned)} warnings", remedy="mend them, or leave out --strict")
    if not as_json:
        cli.console.print("no problems")


@policy.command("add-endpoint")
@click.argument("preset", required=False)
@click.option("--model", "models", multiple=True, help="A model that may be asked; the first is the default.")
@click.option("--price", nargs=2, type=click.FloatRange(0), metavar="IN OUT", help="US dollars a million tokens.")
@click.option("--name", default="", help="The entry's name; that of the preset if left out.")
@click.option("--base-url", default="", help="For presets whose address is yours to say.")
@click.option("--region", default="", help="Where it works, as route.regions knows it.")
@click.option("--key", default="", help="keyring:NAME, env:NAME or file:PATH; never the key itself.")
@click.option("--proxy", default="", help="The only proxy to use.")
@click.option("--ca-file", default="", help="Certificates to trust instead of the built-in ones.")
@click.option("--file", "target", type=click.Path(path_type=Path), help="The policy file; yours if left out.")
@click.option("--print", "only_print", is_flag=True, help="Print the entry, write nothing.")
@click.pass_obj
def add_endpoint(
    cli: Cli,
    preset: str | None,
    models: tuple[str, ...],
    price: tuple[float, float] | None,
    name: str,
    base_url: str,
    region: str,
    key: str,
    proxy: str,
    ca_file: str,
    target: Path | None,
    only_print: bool,
) -> None:
    """Write a commented entry for a closed endpoint into your policy file; without PRESET, list what is known.

    It grants nothing by itself: closed.enabled, closed.tasks and your trust in a workspace stay yours to give.
    """
    if preset is None:
        for known in presets.all_presets().values():
            cli.console.print(f"{known.name:<14} {known.title}", markup=False)
            for fact in known.facts:
                cli.console.print(f"{'':<14}   {fact}", markup=False)
        return
    if not models or price is None:
        raise UsageError(
            "models and prices are yours to say", remedy="--model NAME --price IN OUT, from the maker's price list"
        )
    chosen = {"name": name, "base_url": base_url, "region": region, "key": key, "proxy": proxy, "ca_file": ca_file}
    text = presets.entry(presets.get(preset), models=models, prices=price, **chosen)
    if only_print:
        _check(_NEW + b"\n\n" + text.encode(), "the entry")
        click.echo(text, nl=False)
        return
    file = _expanded(target or cli.paths.config / "policy.toml")
    _append(file, text)
    cli.console.print(f"added to {visible(str(file))}", markup=False)
    found = layers.check(file)
    if not found.enabled:
        cli.err.print("closed.enabled is not true there, so it is not used yet", style="yellow")


_NEW = b"version = 1\n\n[closed]\nenabled = false  # true, and tasks below, when you mean it\n"
"""Of a policy file that is not there yet."""


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:  # ~NAME of nobody
        raise ConfigError(f"{path} is in the home of nobody here") from error


def _check(content: bytes, file: str) -> None:
    _, problems = parse(content, PolicyFile, layer="user", file=file)
    if problems:
        raise ConfigError(str(problems[0]), remedy="nothing was written")


def _append(file: Path, text: str) -> None:
    """Put an entry at the end of a policy file, once the whole of it is known to be sound. Raises `ConfigError`."""
    try:
        before = safefile.read(file)
    except FileNotFoundError:
        before = _NEW
    after = before.rstrip(b"\n") + b"\n\n" + text.encode()
    _check(after, str(file))
    try:
        safefile.replace(file, after)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error


@policy.command()
@click.argument("path", default=".")
@click.option("--task", type=click.Choice(_TASKS), default="refactor", show_default=True)
@click.option("--lines", type=click.IntRange(0), default=1, show_default=True, help="Lines of code that would leave.")
@click.option("--files", type=click.IntRange(0), default=1, show_default=True, help="Files that they come from.")
@click.option("--symbols", type=click.IntRange(0), default=0, show_default=True, help="Functions and classes in them.")
@click.option("--difficulty", type=click.IntRange(0), default=0, show_default=True, help="Branches, nested ones more.")
@click.option("--file", "names", multiple=True, help="A file of the request, relative to the root.")
@click.option("--target", type=click.Choice(get_args(_Target)), default="auto", show_default=True)
@json_option
@click.pass_obj
def explain(
    cli: Cli,
    path: str,
    task: str,
    lines: int,
    files: int,
    symbols: int,
    difficulty: int,
    names: tuple[str, ...],
    target: _Target,
    as_json: bool,
) -> None:
    """Who would do a request in PATH's workspace, and which line of policy decides that. Sends nothing."""
    root = _workspace(path)
    found = layers.load(cli.paths, root)
    facts = Facts(
        task=task,
        lines=lines,
        files=max(files, len(names)),
        symbols=symbols,
        difficulty=difficulty,
        local_data=bool(names) and bool(found.local_paths) and kept_local(root, names, found.local_paths),
        target=target,
        trusted=found.trusted,
        quota_left=QuotaStore(cli.paths.quota).left(found.quota) if found.enabled else None,
    )
    decision = preferring(cli.settings.target, facts, found)
    layer = _layer_of(decision, found)
    if as_json:
        cli.emit(
            {
                "target": decision.target,
                "endpoint": decision.endpoint.name if decision.endpoint else "",
                "model": decision.model,
                "rule": decision.rule,
                "layer": layer,
                "reason": decision.reason,
                "workspace": str(root),
                "policy_sha256": found.sha256,
            }
        )
        return
    where = f" {decision.endpoint.name}, {decision.model}" if decision.endpoint else ""
    cli.console.print(f"{decision.target}{where}: {visible(decision.reason)}", markup=False)
    cli.console.print(f"rule: {decision.rule}{f' [{layer}]' if layer else ''}", markup=False)


@policy.command()
@click.argument("path", default=".")
@json_option
@click.pass_obj
def trust(cli: Cli, path: str, as_json: bool) -> None:
    """Trust PATH's workspace as it is now: its policy is read, and policy may let its requests out."""
    root = Trust(cli.paths.config).trust(_workspace(path))
    if as_json:
        cli.emit({"workspace": root, "trusted": True})
    else:
        cli.console.print(f"trusted: {visible(root)}, until its .pointsman or .pointsmanignore changes", markup=False)


@policy.command()
@click.argument("path", default=".")
@json_option
@click.pass_obj
def untrust(cli: Cli, path: str, as_json: bool) -> None:
    """Trust PATH's workspace no longer: local work only."""
    trust = Trust(cli.paths.config)
    # What was trusted may lie in another repository by now, or be gone.
    root = Path(os.path.expanduser(path)).absolute()  # noqa: PTH111  # pathlib's raises for the home of nobody
    if not (known := trust.untrust(root)):
        root = _workspace(path)
        known = trust.untrust(root)
    if as_json:
        cli.emit({"workspace": str(root), "trusted": False, "was_known": known})
    else:
        state = "no longer trusted" if known else "was not trusted"
        cli.console.print(f"{visible(str(root))}: {state}", markup=False)


def _workspace(path: str | Path) -> Path:
    """The root that the pipelines take for `path`: its repository's, else its folder."""
    from pointsman_indexer.files import find_root

    return find_root(existing(str(path)).resolve())


def _layer_of(decision: Decision, found: Effective) -> str:
    """The layer of the rule, or of the longest key that it starts with."""
    parts = decision.rule.split(".")
    for end in range(len(parts), 0, -1):
        if (layer := found.provenance.get(".".join(parts[:end]))) is not None:
            return layer
    return ""


def _plain(root: Path, found: Effective) -> dict[str, Any]:
    return {
        "workspace": str(root),
        "trusted": found.trusted,
        "sha256": found.sha256,
        "policy": found.plain(),
        "layers": dict(found.provenance),
        "problems": [_problem(problem) for problem in found.problems],
    }


def _used(cli: Cli) -> dict[str, Any] | None:
    """What was charged; None, and a note, when the quota cannot be read: the policy holds all the same."""
    store = QuotaStore(cli.paths.quota)
    try:
        used, unsettled = store.usage(), store.unsettled()
    except GatewayError as error:
        cli.err.print(visible(str(error)), style="yellow", markup=False)
        return None
    periods = {"day": used.day, "month": used.month}
    return {
        **{
            name: {"requests": sums.requests, "tokens": sums.tokens, "usd": sums.micro_usd / 1e6}
            for name, sums in periods.items()
        },
        "unsettled": unsettled,
    }


def _problem(problem: Problem) -> dict[str, Any]:
    return {"layer": problem.layer, "file": problem.file, "line": problem.line, "message": problem.message}


def _print_problems(cli: Cli, problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        cli.err.print(f"closed model off: {visible(str(problem))}", style="yellow", markup=False)
