"""What every command shares: the user's folders and settings, the two consoles, JSON, and how errors end."""

from __future__ import annotations

import json
import logging
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from pointsman.errors import NotFound, UsageError
from pointsman.hidden import IN_TEXT
from pointsman.settings import Paths, Settings

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from pointsman.lsp.services import Services

F = TypeVar("F", bound=Callable[..., Any])


class Cli:
    """The context object of all commands (`@click.pass_obj`). Everything in it is made when first asked for."""

    def __init__(self, *, verbose: int = 0, quiet: bool = False) -> None:
        self.verbose = verbose
        self.quiet = quiet
        self.stopped_by: int = signal.SIGINT
        """The signal that ended the command, when one did."""

    @cached_property
    def paths(self) -> Paths:
        return Paths.resolve().ensure()

    @cached_property
    def settings(self) -> Settings:
        return Settings.load(self.paths)

    @cached_property
    def console(self) -> Console:
        """Results, on stdout."""
        from rich.console import Console

        return Console(highlight=False, soft_wrap=True, emoji=False)  # else `a[:x:]` would become a picture

    @cached_property
    def err(self) -> Console:
        """Progress and notes, on stderr; silent with `-q`."""
        from rich.console import Console

        return Console(stderr=True, highlight=False, soft_wrap=True, emoji=False, quiet=self.quiet)

    def code(self, text: str, style: Callable[[str], str | None] = lambda line: None) -> None:
        """Code on stdout: unchanged into a file or a pipe, as `git apply` wants it; made harmless on a terminal.

        Not by rich, which expands tabs. `style` gives a line's colour on a terminal.
        """
        text = text if text.endswith("\n") else f"{text}\n"
        if not sys.stdout.isatty():
            click.echo(text.encode("utf-8", "surrogatepass"), nl=False)
            return
        for line in text[:-1].split("\n"):
            shown, colour = visible(line.removesuffix("\r")), style(line)
            click.echo(click.style(shown, fg=colour) if colour else shown)

    def emit(self, value: dict[str, Any] | list[Any]) -> None:
        """One JSON value on stdout. ASCII only, so that no control or bidirectional character reaches a terminal."""
        click.echo(json.dumps(value, indent=2 if sys.stdout.isatty() else None))

    @asynccontextmanager
    async def services(self, *, in_process: bool = False) -> AsyncIterator[Services]:
        """The pipelines over the user's host, closed afterwards; the host itself stays for others."""
        from pointsman.build import build_services
        from pointsman.cli.waiting import telling_of_waiting
        from pointsman.host.usersocket import SingleHost
        from pointsman.observe.logs import log_to_stderr

        if self.verbose:
            log_to_stderr(logging.DEBUG if self.verbose > 1 else logging.INFO)
        services = build_services(self.paths, self.settings, in_process=in_process)
        starting = not (in_process or SingleHost(self.paths).held())
        try:
            async with telling_of_waiting(self.err, services.host, starting=starting):
                yield services
        finally:
            await services.close()


class Group(click.Group):
    """Commands that belong together. Their first sentences stand whole in the help, for a cut one says nothing."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=300)) for name, one in found if one is not None])


def visible(text: str) -> str:
    """`text` with control and bidirectional characters spelt out: nothing foreign may drive the terminal."""
    return IN_TEXT.sub(lambda match: f"\\u{ord(match.group()):04x}", text)


def in_line(text: str) -> str:
    """As `visible`, for a name that must not break the line it stands in: a file's may hold line feeds and tabs."""
    return re.sub("[\n\t]", lambda match: f"\\u{ord(match.group()):04x}", visible(text))


def json_option(command: F) -> F:
    return click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")(command)


def existing(path: str) -> Path:
    """An absolute path that exists. Raises `NotFound`."""
    try:
        resolved = Path(path).expanduser().absolute()
        found = resolved.exists()
    except (OSError, RuntimeError) as error:  # too long, not to be looked into, or the home of nobody
        raise NotFound(f"{path[:200]} cannot be found") from error
    if not found:
        raise NotFound(f"{path} does not exist")
    return resolved


def parse_position(text: str) -> tuple[Path, int, int]:
    """FILE:LINE:COLUMN, 1-based, columns in code points. Raises `UsageError` or `NotFound`."""
    match = re.fullmatch(r"(.+):(\d+):(\d+)", text)
    if match is None or int(match[2]) < 1 or int(match[3]) < 1:
        raise UsageError(f"{text!r} is not FILE:LINE:COLUMN", remedy="lines and columns count from 1")
    return existing(match[1]), int(match[2]), int(match[3])


def parse_range(text: str) -> tuple[Path, int, int | None]:
    """FILE, FILE:LINE or FILE:START-END, 1-based and inclusive; no line gives (path, 1, None), the whole file."""
    match = re.fullmatch(r"(.+?)(?::(\d+)(?:-(\d+))?)?", text)
    if match is None:
        raise UsageError(f"{text!r} is not FILE[:START[-END]]")
    path = existing(match[1])
    if match[2] is None:
        return path, 1, None
    start, end = int(match[2]), int(match[3] or match[2])
    if not 1 <= start <= end:
        raise UsageError(
            f"{text!r}: the lines are in the wrong order", remedy="START counts from 1, END is not before it"
        )
    return path, start, end


@contextmanager
def bar_of(cli: Cli, description: str) -> Iterator[tuple[Progress, TaskID]]:
    """A progress bar on stderr, where that is a terminal, and its one task."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=cli.err, transient=True, disable=not cli.err.is_terminal) as bar:
        yield bar, bar.add_task(description, total=None)
