"""`pointsman audit`: the record of what was sent or refused, and whether it is whole."""

from __future__ import annotations

import csv
import io
import json
import sys
from pathlib import Path
from typing import Any, Literal, get_args

import click

from pointsman.cli.common import Cli, Group, existing, json_option, visible
from pointsman.errors import ConfigError, NotFound, VerificationError
from pointsman.gateway.audit import AuditLog, Contents

_Format = Literal["jsonl", "csv"]
_COLUMNS = (
    *("seq", "time", "kind", "id", "request_id", "task", "endpoint", "model", "rule", "status", "body_sha256"),
    *("body_bytes", "files", "redactions", "redaction_rules", "tokens", "usd", "approved", "policy_sha256"),
    *("workspace", "attempt", "spans", "sealed_request_sha256", "sealed_reply_sha256", "up_to", "keep_days"),
    *("healed_bytes", "healed_sha256", "prev", "hash"),
)


@click.group(cls=Group)
def audit() -> None:
    """The record of what was sent."""


@audit.command("list")
@click.option("-n", "count", type=click.IntRange(1), default=50, show_default=True, help="The newest so many.")
@json_option
@click.pass_obj
def list_(cli: Cli, count: int, as_json: bool) -> None:
    """The newest records, oldest first."""
    found = _log(cli).contents()
    records = found.records[-count:]
    if as_json:
        cli.emit({"records": records})
    else:
        for record in records:
            cli.console.print(visible(_line(record)), markup=False)
    _say_damage(found)
    if not records and not as_json:
        cli.err.print("nothing was ever sent or refused")


@audit.command()
@click.argument("record", metavar="ID")
@json_option
@click.pass_obj
def show(cli: Cli, record: str, as_json: bool) -> None:
    """Every record of one request, by its id, its request id or a record's number."""
    contents = _log(cli).contents()
    found = [
        entry for entry in contents.records if record in (entry.get("id"), entry.get("request_id"), str(entry["seq"]))
    ]
    if not found:
        _say_damage(contents)
        raise NotFound(f"no audit record {record!r}", remedy="pointsman audit list")
    if as_json:
        cli.emit({"records": found})
    else:
        for entry in found:
            _show(cli, entry)
    _say_damage(contents)


@audit.command()
@click.option("--against", type=click.Path(path_type=Path), help="A head that `audit head` printed earlier.")
@json_option
@click.pass_obj
def verify(cli: Cli, against: Path | None, as_json: bool) -> None:
    """Check the whole log against its hashes and signatures. Exit 1 names the first bad record."""
    verdict = _log(cli).verify(_read(existing(str(against))) if against else None)
    if as_json:
        cli.emit(
            {
                "ok": verdict.sound,
                "records": verdict.records,
                "bad_seq": verdict.bad_seq,
                "file": verdict.file,
                "line": verdict.line,
                "why": verdict.why,
                "healed_bytes": verdict.healed_bytes,
            }
        )
    if not verdict.sound:
        place = f" ({verdict.file}{f':{verdict.line}' if verdict.line else ''})" if verdict.file else ""
        raise VerificationError(f"record {verdict.bad_seq} {verdict.why}{place}")
    if not as_json:
        healed = f"; {verdict.healed_bytes} bytes of a broken-off record removed" if verdict.healed_bytes else ""
        cli.console.print(f"{verdict.records} records, all sound{healed}")


@audit.command()
@click.pass_obj
def head(cli: Cli) -> None:
    """The signed end of the log, as JSON. Kept elsewhere, it shows later that nothing before it was rewritten."""
    click.echo(json.dumps(json.loads(_log(cli).head())))  # ASCII, whatever the file holds beside what is signed


@audit.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.pass_obj
def keygen(cli: Cli, file: Path) -> None:
    """Make a key for keeping bodies: the private half into FILE, the public one for audit.bodies_key on stdout."""
    from pointsman.gateway import bodies

    click.echo(bodies.new_key(file.absolute()))


@audit.command()
@click.argument("record", metavar="ID")
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The private half.")
@click.option("--reply", is_flag=True, help="What came back, instead of what left.")
@click.pass_obj
def body(cli: Cli, record: str, key: Path, reply: bool) -> None:
    """What left for one request, if policy kept it; byte for byte."""
    from pointsman.gateway import bodies

    opened = bodies.SealedBodies(cli.paths.audit_bodies).open(
        record, "reply" if reply else "request", bodies.read_key(key.absolute())
    )
    if sys.stdout.isatty():
        cli.code(opened.decode("utf-8", "replace"))
    else:
        click.echo(opened, nl=False)


@audit.command()
@click.option("--format", "form", type=click.Choice(get_args(_Format)), default="jsonl", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout instead.")
@click.pass_obj
def export(cli: Cli, form: _Format, as_json: bool) -> None:
    """All records on stdout."""
    found = _log(cli).contents()
    if as_json:
        cli.emit({"records": found.records})
    elif form == "jsonl":
        for record in found.records:
            click.echo(json.dumps(record))
    else:
        click.echo(_csv(found.records), nl=False)
    _say_damage(found)


def _line(record: dict[str, Any]) -> str:
    what = " ".join(str(record[name]) for name in ("task", "endpoint", "model", "rule") if record.get(name))
    size = f", {record['body_bytes']} bytes, {record.get('redactions')} redactions" if "body_bytes" in record else ""
    line = f"{record['seq']}  {record.get('time')}  {record.get('kind')}  {record.get('id', '')}"
    return f"{line}  {what}  {record.get('status', '')}{size}"


def _show(cli: Cli, record: dict[str, Any]) -> None:
    for name in (*_COLUMNS, *(record.keys() - set(_COLUMNS))):
        if name in record:
            cli.console.print(f"{name:<16} {visible(_cell(record[name]))}", markup=False)
    cli.console.print()


def _csv(records: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(_COLUMNS)
    for record in records:
        writer.writerow([_harmless(_cell(record.get(name, ""))) for name in _COLUMNS])
    return text.getvalue()


def _cell(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula, and no terminal for a command."""
    shown = visible(cell)
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown


def _log(cli: Cli) -> AuditLog:
    return AuditLog(cli.paths.audit)


def _say_damage(found: Contents) -> None:
    """Raises `VerificationError` when what was shown is not all that was written."""
    if found.damage:
        raise VerificationError(found.damage, remedy="pointsman audit verify")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file} cannot be read: {error.strerror}") from error
