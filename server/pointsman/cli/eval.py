"""`pointsman eval`: quality, measured on a repository of one's own."""

from __future__ import annotations

from typing import Any

import click

from pointsman.cli.common import Cli, Group, existing, json_option, visible
from pointsman.cli.eval_completion import completion
from pointsman.cli.eval_policy import policy
from pointsman.cli.measuring import embedder_option, measured


@click.group("eval", cls=Group)
def eval() -> None:
    """Measure quality on a repository of yours; nothing of it is kept."""


eval.add_command(policy)
eval.add_command(completion)


@eval.command()
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@click.option(
    "--tasks", "tasks_file", default="", help='Questions of your own: {"query", "path", "start_line"…} a line.'
)
@click.option(
    "--kinds", default="", help="Self-made tasks: docstring,commit, the default without --tasks; question adds none."
)
@click.option("--limit", default=300, type=click.IntRange(1, 100_000), show_default=True, help="Tasks of a kind.")
@embedder_option
@json_option
@click.pass_obj
def retrieval(cli: Cli, path: str, tasks_file: str, kinds: str, limit: int, embedder: bool, as_json: bool) -> None:
    """Hybrid search beside BM25 alone, embeddings alone and keywords, on the same pieces of code.

    A docstring asks for its function in a copy where docstrings are blanked; a commit message asks for the files that
    it changed.
    """
    from pointsman.policy import layers
    from pointsman_indexer import find_root
    from pointsman_indexer.evaluate.run import KINDS, evaluate

    chosen = {kind.strip() for kind in kinds.split(",") if kind.strip()}
    if not chosen <= {*KINDS, "question"}:
        raise click.BadParameter(f"kinds are {', '.join(KINDS)} and question", param_hint="--kinds")
    if "question" in chosen and not tasks_file:
        raise click.BadParameter("questions come from a file: --tasks FILE", param_hint="--kinds")
    tasks = existing(tasks_file) if tasks_file else None
    own = tuple(kind for kind in KINDS if kind in chosen) if chosen or tasks else KINDS
    root = find_root(existing(path)).resolve()
    exclude = layers.load(cli.paths, root).excluded()
    report = measured(
        cli,
        lambda model, progress: evaluate(
            root, model, kinds=own, tasks_file=tasks, limit=limit, exclude=exclude, progress=progress
        ),
        hashed=embedder,
    )
    if as_json:
        cli.emit(report)
    else:
        _show(cli, report)


def _show(cli: Cli, report: dict[str, Any]) -> None:
    for kind, reason in report["skipped"].items():
        cli.err.print(f"{kind}: skipped, {reason}", markup=False)
    for kind, found in report["tasks"].items():
        _table(cli, visible(kind), found)
        if found["few_shared"]["n"]:
            _table(cli, f"{visible(kind)}, few words shared", found["few_shared"])
        speed = found["query_ms"]
        cli.console.print(f"a query takes {speed['p50']:.0f} ms (p95 {speed['p95']:.0f} ms)\n", markup=False)
    cli.console.print(f"embedder {report['embedder']}, {report['seconds']:.0f} s in all", markup=False)


def _table(cli: Cli, title: str, found: dict[str, Any]) -> None:
    from rich.table import Table

    table = Table(title=f"{title} (n={found['n']})", title_justify="left", box=None, padding=(0, 1, 0, 0))
    table.add_column("", no_wrap=True)
    for metric in next(iter(found["systems"].values())):
        table.add_column(metric, no_wrap=True)
    for system, values in found["systems"].items():
        table.add_row(
            system, *(f"{_short(value)} {_short(low)}–{_short(high)}" for value, low, high in values.values())
        )
    cli.console.print(table)
    gain, low, high = found["gain_over_bm25"]
    verdict = "better than" if low > 0 else "worse than" if high < 0 else "not told apart from"
    cli.console.print(
        f"hybrid is {verdict} BM25 alone: {gain:+.3f} [{low:+.3f}, {high:+.3f}] MRR@10 (paired)", markup=False
    )


def _short(value: float) -> str:
    """Two places, so that five figures with their intervals fit on a line of 80."""
    return "1" if value >= 0.995 else f"{value:.2f}".removeprefix("0")
