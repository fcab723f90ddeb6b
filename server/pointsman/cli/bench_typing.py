"""`pointsman bench typing`: real commits as keystrokes, beside llama.cpp with the same weights."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

import click

from pointsman.cli.common import Cli, bar_of, existing, json_option, visible
from pointsman.cli.measuring import machine
from pointsman.errors import PointsmanError


@click.command()
@click.option("--path", default=".", help="A path in a git repository; the current folder by default.")
@click.option("--limit", default=300, type=click.IntRange(8, 100_000), show_default=True, help="Keystrokes at most.")
@click.option("--seed", default=0, show_default=True, help="Which commits are drawn of the newest 200.")
@click.option(
    "--pace",
    default=0,
    type=click.IntRange(0, 10_000),
    metavar="MS",
    help="A keystroke each MS, older requests cancelled; 0, the default, waits for each answer.",
)
@click.option("--client", default="Neovim", show_default=True, help="The editor that the server is told of.")
@click.option("--alone", is_flag=True, help="Without llama.cpp beside it.")
@json_option
@click.pass_obj
def typing(cli: Cli, path: str, limit: int, seed: int, pace: int, client: str, alone: bool, as_json: bool) -> None:
    """Type what real commits added, with a suggestion asked for at every key, as an editor does.

    Through a real language server over its pipes, and in turns into llama.cpp's own server: the same weights, as many
    tokens, its prompt cache on. The user's host and indexes are left alone.
    """
    from pointsman.build import gguf_weights
    from pointsman.exclusion import rules_of
    from pointsman.measure.keystrokes import bursts
    from pointsman.measure.replay import replay
    from pointsman.policy import layers
    from pointsman_indexer import find_root

    root = find_root(existing(path)).resolve()
    chosen = bursts(root, limit, seed, rules_of(root, layers.load(cli.paths, root).excluded()))
    if not chosen:
        raise PointsmanError(
            "no commit here changed code by typing", remedy="choose a git repository with some history by --path"
        )
    weights, missing = (None, "left out by --alone") if alone else gguf_weights(cli.paths, cli.settings)
    with tempfile.TemporaryDirectory(prefix="pt-") as folder, bar_of(cli, "typing") as (bar, shown):
        report = asyncio.run(
            replay(
                root,
                chosen,
                cli.paths,
                Path(folder),
                weights=weights,
                max_tokens=cli.settings.max_completion_tokens,
                pace=pace / 1000,
                client=client,
                progress=lambda label, done, total: bar.update(shown, description=label, completed=done, total=total),
            )
        )
    report = {
        "path": str(root),
        "model": cli.settings.completion_model,
        "engine": cli.settings.engine,
        "seed": seed,
        "pace_ms": pace,
        "client": client,
        "commits": len({burst.parent for burst in chosen}),
        "bursts": len(chosen),
        "keystrokes": sum(burst.keystrokes for burst in chosen),
        **report,
        "skipped": {"llama.cpp": missing} if missing else {},
        "machine": machine(),
    }
    if as_json:
        cli.emit(report)
    else:
        _show(cli, report)


def _show(cli: Cli, report: dict[str, Any]) -> None:
    from rich.table import Table

    cli.console.print(
        f"{visible(report['path'])}: {report['keystrokes']} keystrokes, {report['bursts']} changes, "
        f"{report['commits']} commits",
        style="bold",
        markup=False,
    )
    systems = report["systems"]
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("p50 / p95", no_wrap=True)
    for name in systems:
        table.add_column(name, no_wrap=True)
    rows: list[tuple[str, list[str]]] = [
        ("request to items, ms", [_times(own["items_ms"]) for own in systems.values()]),
        ("where a model was asked", [_times(own["model_ms"]) for own in systems.values()]),
        ("all requests", [_times(own["request_ms"]) for own in systems.values()]),
        ("answered", [f"{own['answered']:.0%}" for own in systems.values()]),
        ("of those, then typed on", [f"{own['typed_on']:.0%}" for own in systems.values()]),
        ("they came from", [_shares(own["source"]) for own in systems.values()]),
    ]
    for stage in dict.fromkeys(name for own in systems.values() for name in own["stages_ms"]):
        rows.append((f"stage {stage}, ms", [_times(own["stages_ms"].get(stage, {})) for own in systems.values()]))
    for label, key in (("generated", "generated"), ("not shown", "wasted"), ("typed on", "typed_on")):
        rows.append((f"tokens {label}", [str(own["tokens"].get(key, "–")) for own in systems.values()]))
    rows.append(("processor", [f"{own['cpu_seconds']:.1f} s" for own in systems.values()]))
    for label, cells in rows:
        table.add_row(label, *cells)
    cli.console.print(table)
    if "beside" in report:
        ratios, both = report["beside"]["items"], report["beside"]["both_answered"]
        for name, bar in report["beside"]["bars"].items():
            verdict = "reached" if bar["met"] else "missed"
            cli.console.print(
                f"{name}: {ratios.get(name, 0):.2f} of llama.cpp's ({both.get(name, 0):.2f} where both answered, "
                f"{both['n']} keys); the bar, {bar['at_most']}, is {verdict}",
                markup=False,
            )
    for name, why in report["skipped"].items():
        cli.err.print(f"{name}: skipped, {why}", markup=False)
    for name, own in systems.items():
        for reason, count in own["silent"].items():
            cli.err.print(f"{name}: {count} times nothing, {visible(reason)}", markup=False)
    here = report["machine"]
    cli.console.print(
        f"{report['model']}, engine {report['engine']}; {here['cores']} cores, load {here['load']}", markup=False
    )


def _times(times: dict[str, float]) -> str:
    return f"{times['p50']:.1f} / {times['p95']:.1f}" if times else "–"


def _shares(shares: dict[str, float]) -> str:
    return ", ".join(f"{name} {share:.0%}" for name, share in shares.items())
