"""`pointsman stats`: what was recorded of usage on this machine, in figures."""

from __future__ import annotations

import sqlite3
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.common import Cli, json_option, visible
from pointsman.errors import GatewayError, PointsmanError, UsageError

if TYPE_CHECKING:
    from pointsman.observe.page import Table

_NOTES = (
    "Shown, typed and taken are estimated from how documents changed; what an editor reports outweighs that.",
    "Kept is the share of taken words that was still there; documents that were closed earlier are not counted.",
)


@click.command()
@click.option(
    "--html", "page", type=click.Path(path_type=Path, dir_okay=False), help="Write one HTML page to this file."
)
@click.option("--forget", is_flag=True, help="Delete everything that was recorded.")
@json_option
@click.pass_obj
def stats(cli: Cli, page: Path | None, forget: bool, as_json: bool) -> None:
    """Local usage: speed, cache, what was taken and kept, routes and cost; last day, week and month.

    It is recorded on this machine only, without any text or file name. `record_usage = false` in settings.toml
    switches it off.
    """
    if forget:
        if page is not None:
            raise UsageError("--forget and --html exclude each other")
        _forget(cli, as_json)
        return
    from pointsman.observe.reader import read
    from pointsman.observe.report import MOST_DAYS, report

    now = time.time()
    made = report(read(cli.paths.usage, now - MOST_DAYS * 86_400), _sent(cli), now)
    quota = _quota(cli)
    if page is not None:
        _write(page, made, quota)
    if as_json:
        cli.emit({"recording": cli.settings.record_usage, "periods": made, "quota": quota})
    elif page is not None:
        cli.console.print(f"written to {page}", markup=False)
    else:
        _show(cli, made, quota)


def _forget(cli: Cli, as_json: bool) -> None:
    from pointsman.observe.store import forget

    try:
        rows = forget(cli.paths.usage)
    except (OSError, sqlite3.Error) as error:
        raise PointsmanError(
            f"{cli.paths.usage} cannot be emptied ({type(error).__name__})", remedy="close the editor and try again"
        ) from error
    if as_json:
        cli.emit({"forgotten": rows})
    else:
        cli.console.print(f"{rows} records deleted")


def _show(cli: Cli, made: dict[str, Any], quota: dict[str, Any] | None) -> None:
    from pointsman.observe.page import tables, title

    empty = True
    for name, period in made.items():
        found = tables(period)
        if found:
            empty = False
            cli.console.rule(title(name), align="left")
            for table in found:
                _print(cli, table)
    if quota is not None:
        cli.console.print(_quota_line(quota), markup=False)
    if empty:
        off = "" if cli.settings.record_usage else ": record_usage is false in the settings"
        cli.err.print(f"nothing was recorded in the last 30 days{off}", markup=False)
    for note in () if empty else _NOTES:
        cli.err.print(note, markup=False, style="dim")


def _print(cli: Cli, table: Table) -> None:
    """Never cut to the terminal's width, so that a pipe gets whole names."""
    cells = [[visible(cell) for cell in row] for row in (table.columns, *table.rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    cli.console.print(table.title, style="bold", markup=False)
    for index, (first, *others) in enumerate(cells):
        numbers = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        line = "  ".join((first.ljust(widths[0]), *numbers)).rstrip()
        cli.console.print(line, style=None if index else "dim", markup=False)
    cli.console.print()


def _write(page: Path, made: dict[str, Any], quota: dict[str, Any] | None) -> None:
    from pointsman import safefile
    from pointsman.observe.page import page as html_of

    notes = [_quota_line(quota), *_NOTES] if quota is not None else _NOTES
    text = html_of(made, datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"), notes)
    try:
        safefile.replace(page.expanduser().absolute(), text.encode("utf-8", "replace"))
    except OSError as error:
        raise PointsmanError(f"cannot write {page}: {error.strerror}") from error


def _sent(cli: Cli) -> list[dict[str, Any]]:
    """Requests to a closed model, from the audit log: each attempt once, with what it came to or at most will."""
    from pointsman.gateway.audit import AuditLog

    found: dict[str, dict[str, Any]] = {}
    for record in AuditLog(cli.paths.audit).records() if cli.paths.audit.exists() else ():
        if record.get("kind") not in ("intent", "outcome", "refused"):
            continue
        at = _moment(record.get("time"))
        if at is None:
            continue
        earlier = found.setdefault(str(record.get("id")), {"at": at, "task": ""})
        earlier.update(
            task=str(record.get("task") or earlier["task"]),
            endpoint=str(record.get("endpoint", "")),
            model=str(record.get("model", "")),
            status=str(record.get("status", "")),
            tokens=int(record.get("tokens") or 0),
            usd=float(record.get("usd") or 0.0),
        )
    return list(found.values())


def _moment(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _quota(cli: Cli) -> dict[str, Any] | None:
    """What this day and month (UTC) were charged, reservations included; None where nothing was ever sent."""
    from pointsman.gateway.quota import QuotaStore

    if not cli.paths.quota.exists():
        return None
    try:
        usage = QuotaStore(cli.paths.quota).usage()
    except GatewayError:
        return None
    return {
        name: {"requests": charge.requests, "tokens": charge.tokens, "usd": charge.micro_usd / 1e6}
        for name, charge in (("day", usage.day), ("month", usage.month))
    }


def _quota_line(quota: dict[str, Any]) -> str:
    parts = (
        f"{name} {one['requests']} requests, {one['tokens']} tokens, {one['usd']:.4f} USD"
        for name, one in quota.items()
    )
    return "charged to the quota (UTC), reservations included: this " + "; this ".join(parts)
