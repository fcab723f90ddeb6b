"""The `pointsman` command: finds the subcommand, loads only its module, and turns errors into exit codes.

Exit codes: 0 done, 1 failed, 2 usage, 3 refused by policy, 4 not found; 128 and the signal's number when a signal, or
a reader that went away, ended it. The reason is one line on stderr; a traceback only with `-vv`, for it may quote
source text.
"""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import resource
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

import click

from pointsman import __version__
from pointsman.cli.common import Cli, visible
from pointsman.errors import PointsmanError

_COMMANDS = {
    "serve": "Run the language server (stdio unless told otherwise).",
    "index": "Build or update the index of a repository.",
    "search": "Find code by words, names or meaning.",
    "outline": "The map of a repository under a token budget.",
    "uses": "Where a function, a class or a method is used.",
    "complete": "Complete at FILE:LINE:COLUMN, as the editor would.",
    "ask": "Answer a question about the code, with its sources.",
    "refactor": "Change code by instruction; prints a diff.",
    "models": "The model catalogue and what is installed.",
    "policy": "What may leave this machine, and why.",
    "audit": "The record of what was sent.",
    "stats": "Local usage: speed, what was taken and kept, routes, cost.",
    "eval": "Measure quality on a repository of yours.",
    "bench": "Measure speed on this machine.",
    "host": "The per-user host process.",
    "doctor": "Check the environment; each problem with its remedy.",
}


class _Lazy(click.Group):
    """Imports a subcommand's module when it is called: `serve` must answer within half a second."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"pointsman.cli.{cmd_name}")
        command: click.Command = getattr(module, cmd_name)
        return _with_verbosity(command)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in _COMMANDS and not ctx.resilient_parsing:
            import difflib  # for a mistake alone

            if near := difflib.get_close_matches(args[0], _COMMANDS, n=1):
                ctx.fail(f"No such command {args[0]!r}. Did you mean {near[0]!r}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


def _set_quiet(ctx: click.Context, _: click.Parameter, value: bool) -> None:
    if value:
        ctx.ensure_object(Cli).quiet = True


def _set_verbose(ctx: click.Context, _: click.Parameter, value: int) -> None:
    if value:
        ctx.ensure_object(Cli).verbose = value


def _with_verbosity(command: click.Command) -> click.Command:
    """Give a command and its subcommands `-q` and `-v`, so that they may stand anywhere on the line."""
    if not any(parameter.name == "quiet_" for parameter in command.params):
        command.params += [
            click.Option(
                ["-q", "--quiet", "quiet_"],
                is_flag=True,
                expose_value=False,
                callback=_set_quiet,
                help="No progress, no notes.",
            ),
            click.Option(
                ["-v", "--verbose", "verbose_"],
                count=True,
                expose_value=False,
                callback=_set_verbose,
                help="More detail; twice for tracebacks.",
            ),
        ]
    if isinstance(command, click.Group):
        for child in command.commands.values():
            _with_verbosity(child)
    return command


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="pointsman")
@click.pass_context
def cli(ctx: click.Context) -> None:
    """Pointsman: completions, answers and refactors from your own machine.

    Nothing leaves it unless a policy of yours names the place.
    """
    context = ctx.ensure_object(Cli)
    if ctx.invoked_subcommand != "serve":  # which has its own way to end
        ctx.with_resource(_stoppable(context))


@contextlib.contextmanager
def _stoppable(context: Cli) -> Iterator[None]:
    """Let SIGTERM and SIGHUP end a command as Ctrl-C does: what it has put into temporary folders is removed."""

    def stop(number: int, frame: FrameType | None) -> None:
        context.stopped_by = number
        interrupt = signal.getsignal(signal.SIGINT)  # asyncio's own, while its loop runs
        if not callable(interrupt):  # ignored, as in a job of a script
            raise KeyboardInterrupt
        interrupt(signal.SIGINT, frame)

    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    ours = [number for number, handler in before.items() if handler == signal.SIG_DFL]  # `nohup` ignores SIGHUP
    for number in ours:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in ours:
            signal.signal(number, before[number])


_with_verbosity(cli)


def main(arguments: list[str] | None = None) -> NoReturn:
    """Entry point. Never returns; see the module for exit codes."""
    context = Cli()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a dump, also a child's, would hold source text and questions
    for name in ("stdin", "stdout", "stderr"):
        if getattr(sys, name) is None:  # Closed: else the next file that is opened would take its place.
            setattr(sys, name, open(os.devnull, "r+"))  # noqa: PTH123, SIM115
    stdout = sys.stdout
    try:
        cli.main(args=arguments, standalone_mode=False, obj=context)
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)
    except click.ClickException as error:
        with contextlib.suppress(OSError):  # stderr may be what cannot be written
            error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt):
        with contextlib.suppress(OSError):
            click.echo("interrupted", err=True)
        sys.exit(128 + context.stopped_by)
    except SystemExit as stop:
        # Of a reader that went away, as `head` does, click and rich both make an exit 1: click after it has put
        # something else in stdout's place, rich out of the error's handler.
        if sys.stdout is stdout and not isinstance(stop.__context__, BrokenPipeError):
            raise
        _drop_output()
        sys.exit(128 + signal.SIGPIPE)
    except PointsmanError as error:
        _fail(context, visible(str(error)), error.exit_code)
    except Exception as error:
        if isinstance(error, OSError) and error.errno in _CANNOT_WRITE:
            _drop_output()
            where = f" {visible(str(error.filename))}" if error.filename else ""
            _fail(context, f"cannot write{where}: {error.strerror}", 1)
        _fail(context, f"internal error ({type(error).__name__}); run again with -vv for the traceback", 1)
    sys.exit(0)


_CANNOT_WRITE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO)


def _drop_output() -> None:
    """Let what stdout still holds go nowhere when Python flushes it at the end, rather than fail once more."""
    with contextlib.suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, sys.stdout.fileno())
        os.close(null)


def _fail(context: Cli, line: str, code: int) -> NoReturn:
    if context.verbose >= 2:
        import traceback

        traceback.print_exc()
    with contextlib.suppress(OSError):
        click.echo(f"pointsman: {line}", err=True)
    sys.exit(code)
