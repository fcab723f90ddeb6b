"""`pointsman complete`: an inline completion as the editor would get it."""

from __future__ import annotations

import asyncio
import dataclasses
from pathlib import Path

import click

from pointsman.cli.common import Cli, json_option, parse_position, visible
from pointsman.complete.types import Completion, CompletionQuery
from pointsman.errors import UsageError
from pointsman.lsp.positions import Lines
from pointsman.ondisk import snapshot_of


@click.command()
@click.argument("position", metavar="FILE:LINE:COLUMN")
@click.option("-n", "count", default=1, type=click.IntRange(1, 10), show_default=True, help="How many alternatives.")
@click.option("--explain", is_flag=True, help="Show what each stage did.")
@json_option
@click.pass_obj
def complete(cli: Cli, position: str, count: int, explain: bool, as_json: bool) -> None:
    """Complete at FILE:LINE:COLUMN; line and column count from 1, columns in code points."""
    completion = asyncio.run(_run(cli, *parse_position(position), count))
    route = _route(completion)
    if as_json:
        cli.emit(
            {
                "items": [{"text": item.text, "score": item.score} for item in completion.items],
                "model": completion.model,
                "timings_ms": completion.timings_ms,
                "stages": [dataclasses.asdict(stage) for stage in completion.stages],
                "reason": completion.reason,
                "route": route,
            }
        )
        return
    for item in completion.items:
        cli.code(item.text)
    if completion.reason:
        cli.err.print(f"nothing to suggest: {completion.reason}", markup=False)
    if explain:
        cli.err.print(f"route: {route['target']}, {route['model'] or 'no model'}: {route['reason']}", markup=False)
        for stage in completion.stages:
            cli.err.print(f"  {stage.stage:<10} {visible(stage.outcome)}  {stage.ms:.1f} ms", markup=False)
        cli.err.print("  " + ", ".join(f"{name} {ms:.0f} ms" for name, ms in completion.timings_ms.items()))


async def _run(cli: Cli, path: Path, line: int, column: int, count: int) -> Completion:
    snapshot = snapshot_of(path)
    offset = _offset(Lines(snapshot.text), line, column)
    async with cli.services() as services:
        query = CompletionQuery(snapshot=snapshot, offset=offset, count=count, automatic=False)
        return await services.completer.complete(query)


def _offset(lines: Lines, line: int, column: int) -> int:
    """Code points before LINE:COLUMN; a column beyond its line is the line's end, as in an editor.

    Raises `UsageError` for a line that the document does not have; the empty one behind a last line end is one.
    """
    if line > len(lines):
        written = len(lines) - (not lines.line(len(lines) - 1))
        raise UsageError(f"line {line} is beyond the end: the document has {written} lines")
    return lines.offset(line - 1, column - 1, "utf-32")


def _route(completion: Completion) -> dict[str, str]:
    """Policy's own words for why a completion stays here; there is no setting that changes it."""
    from pointsman.policy.effective import Effective
    from pointsman.policy.route import Facts, decide

    decision = decide(Facts(task="completion"), Effective())
    return {"target": decision.target, "model": completion.model, "reason": decision.reason}
