"""`pointsman bench`: speed, measured on this machine; the user's own index and files are left alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from pointsman.cli.bench_typing import typing
from pointsman.cli.common import Cli, Group, existing, json_option, visible
from pointsman.cli.measuring import embedder_option, machine, measured

_MADE_UP_DIMENSION = 384
"""Of hashed vectors that stand for a model's: as long as the default embedder's."""


@click.group(cls=Group)
def bench() -> None:
    """Measure speed on this machine; nothing of it is kept, and your index is left alone."""


bench.add_command(typing)


@bench.command("index")
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@click.option("--switched", default=500, type=click.IntRange(1, 10_000), show_default=True, help="Files of a branch.")
@embedder_option
@json_option
@click.pass_obj
def index_(cli: Cli, path: str, switched: int, embedder: bool, as_json: bool) -> None:
    """A first index, a run without a change, one changed file, and a branch switch and back.

    What is changed is changed in a temporary copy of the repository.
    """
    from pointsman_indexer.bench.indexing import measure_index

    root, exclude = _repository(cli, path)
    report = measured(
        cli,
        lambda model, progress: measure_index(root, model, switched=switched, exclude=exclude, progress=progress),
        hashed=embedder,
    )
    report["machine"] = machine()
    if as_json:
        cli.emit(report)
        return
    seconds, speed = report["seconds"], report["chunks_per_second"]
    there, back = report["branch_switch"]["there"], report["branch_switch"]["back"]
    _table(
        cli,
        report,
        (
            ("first words found", f"{seconds['words']:.2f} s"),
            ("all found by words", f"{seconds['parsed']:.2f} s, {speed['parsed']:.0f} chunks/s"),
            ("all embedded", f"{seconds['embedded']:.2f} s, {speed['embedded']:.0f} chunks/s"),
            ("again, nothing changed", f"{report['rerun_seconds']:.3f} s"),
            ("a changed file is found", _changed(report["changed_file_ms"])),
            (
                f"a branch of {report['branch_switch']['files']} files",
                f"{there['seconds']:.2f} s, embedded {there['embedded']}",
            ),
            ("and back", f"{back['seconds']:.2f} s, embedded {back['embedded']}"),
            ("memory at most, with children", f"{report['peak_memory_mb']} MB"),
        ),
    )


@bench.command()
@click.option("--path", default=".", help="A path in the repository; the current folder by default.")
@click.option("--chunks", default=0, type=click.IntRange(0, 5_000_000), help="Search so many made-up chunks instead.")
@click.option("--queries", default=200, type=click.IntRange(1, 100_000), show_default=True, help="Searches to time.")
@embedder_option
@json_option
@click.pass_obj
def search(cli: Cli, path: str, chunks: int, queries: int, embedder: bool, as_json: bool) -> None:
    """Hybrid search in this process, one at a time, beside a scan for keywords.

    Made-up chunks (--chunks 100000) show how search grows with the repository; 100,000 take a minute or two and a
    gigabyte of temporary space.
    """
    from pointsman_indexer.bench.searching import measure_search

    root, exclude = _repository(cli, path)
    report = measured(
        cli,
        lambda model, progress: measure_search(
            root, model, chunks=chunks, queries=queries, exclude=exclude, progress=progress
        ),
        hashed=embedder,
        dimension=_MADE_UP_DIMENSION,
    )
    report["machine"] = machine()
    if as_json:
        cli.emit(report)
        return
    rows = [
        ("built", f"{report['build_seconds']:.1f} s"),
        ("search, its vector at hand", f"{_times(report['search_ms'])} (processor {report['search_cpu_ms']:.1f} ms)"),
        ("search, its query embedded", _times(report["search_and_embed_ms"])),
        ("by meaning", f"{report['mode']}, {report['nearest_found']:.0%} of the ten nearest found"),
        ("memory of this process", f"{report['resident_mb']} MB, {report['private_mb']} MB without pages of files"),
        ("on disk", f"{report['disk_mb']} MB"),
    ]
    for name, times in report["beside"].items():
        ratio = times["p50"] / max(report["search_and_embed_ms"]["p50"], 0.1)
        rows.append((f"{name}, the same words", f"{_times(times)}: {ratio:.1f} times as long"))
    if "rerun_seconds" in report:
        rows.append(("an update, nothing changed", f"{report['rerun_seconds']:.3f} s"))
        rows.append(("a changed file is found", _changed(report["changed_file_ms"])))
    _table(cli, report, rows)


def _repository(cli: Cli, path: str) -> tuple[Path, tuple[str, ...]]:
    """Its root, and what policy excludes there."""
    from pointsman.policy import layers
    from pointsman_indexer import find_root

    root = find_root(existing(path)).resolve()
    return root, layers.load(cli.paths, root).excluded()


def _times(times: dict[str, float]) -> str:
    return f"p50 {times['p50']:.1f} ms, p95 {times['p95']:.1f} ms"


def _changed(times: dict[str, float]) -> str:
    return f"{times['p50']:.0f} ms, worst of {times['n']}: {times['worst']:.0f} ms"


def _table(cli: Cli, report: dict[str, Any], rows: Iterable[tuple[str, str]]) -> None:
    from rich.table import Table

    name = visible(report["path"]) or "made-up code"
    cli.console.print(f"{name}: {report['files']} files, {report['chunks']} chunks", style="bold", markup=False)
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for row in rows:
        table.add_row(*row)
    cli.console.print(table)
    machine = report["machine"]
    cli.console.print(f"embedder {report['embedder']}; {machine['cores']} cores, load {machine['load']}", markup=False)
