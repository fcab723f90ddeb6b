"""`pointsman policy`: what may leave this machine, which layer says so, and which workspaces are trusted."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import click

from pointsman.cli.common import Cli, existing, json_option, visible
from pointsman.errors import ConfigError
from pointsman.policy import explain as in_words
from pointsman.policy import layers
from pointsman.policy.effective import Effective
from pointsman.policy.parse import Problem
from pointsman.policy.route import Decision, Facts, decide
from pointsman.policy.trust import Trust

_TASKS = ("refactor", "chat", "completion")
_Target = Literal["auto", "local", "closed"]


@click.group()
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
    if as_json:
        cli.emit(_plain(root, found))
        return
    cli.console.print(f"{visible(str(root))}: {'trusted' if found.trusted else 'not trusted'}", markup=False)
    rows = in_words.rows(found)
    width = max(len(key) for key, _, _ in rows)
    for key, value, layer in rows:
        cli.console.print(f"  {key:<{width}}  {visible(value)}  [{layer}]", markup=False)
    cli.console.print(f"  {'sha256':<{width}}  {found.sha256}", markup=False)
    _print_problems(cli, found.problems)


@policy.command()
@click.argument("paths", nargs=-1, metavar="[FILE…|PATH]")
@json_option
@click.pass_obj
def check(cli: Cli, paths: tuple[str, ...], as_json: bool) -> None:
    """Check policy files, or all layers of PATH's workspace. Exit 1 when one is wrong."""
    problems: list[Problem] = []
    for path in map(existing, paths or (".",)):
        problems += layers.check(path) if not path.is_dir() else layers.load(cli.paths, _workspace(path)).problems
    if as_json:
        cli.emit({"ok": not problems, "problems": [_problem(problem) for problem in problems]})
    for problem in problems[1:]:
        cli.err.print(visible(str(problem)), markup=False)
    if problems:
        raise ConfigError(str(problems[0]), remedy="the closed model stays off until this is mended")
    if not as_json:
        cli.console.print("no problems")


@policy.command()
@click.argument("path", default=".")
@click.option("--task", type=click.Choice(_TASKS), default="refactor", show_default=True)
@click.option("--lines", type=click.IntRange(0), default=1, show_default=True, help="Lines of code that would leave.")
@click.option("--files", type=click.IntRange(0), default=1, show_default=True, help="Files that they come from.")
@click.option("--target", type=click.Choice(get_args(_Target)), default="auto", show_default=True)
@json_option
@click.pass_obj
def explain(cli: Cli, path: str, task: str, lines: int, files: int, target: _Target, as_json: bool) -> None:
    """Who would do a request in PATH's workspace, and which line of policy decides that. Sends nothing."""
    root = _workspace(path)
    found = layers.load(cli.paths, root)
    facts = Facts(task=task, lines=lines, files=files, target=target, trusted=found.trusted)
    decision = decide(facts, found)
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
    root = _workspace(path)
    known = Trust(cli.paths.config).untrust(root)
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


def _problem(problem: Problem) -> dict[str, Any]:
    return {"layer": problem.layer, "file": problem.file, "line": problem.line, "message": problem.message}


def _print_problems(cli: Cli, problems: tuple[Problem, ...]) -> None:
    for problem in problems:
        cli.err.print(f"closed model off: {visible(str(problem))}", style="yellow", markup=False)
