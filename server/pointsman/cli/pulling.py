"""Downloads models for the commands: what policy says of it, the terms to accept, progress, and what is told then."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from pointsman.cli.cards import warn
from pointsman.cli.common import Cli, visible
from pointsman.errors import PolicyRefusal

if TYPE_CHECKING:
    from pointsman.models.card import Card
    from pointsman.models.pull import PullProgress
    from pointsman.models.store import ModelStore, PullResult


def check_may_download(cli: Cli) -> None:
    """Raises `PolicyRefusal` where policy keeps everything on this machine."""
    from pointsman.policy import layers

    policy = layers.load(cli.paths, None)
    if policy.problems:
        raise PolicyRefusal(
            "policy has mistakes, so no model is downloaded", rule="policy.problems", remedy="pointsman policy check"
        )
    if policy.local_only:
        raise PolicyRefusal(
            "policy keeps everything on this machine, so no model is downloaded",
            rule="local_only",
            remedy="copy the folder of an installed model from another machine: docs/policy.md",
        )


def pull_card(
    cli: Cli, store: ModelStore, card: Card, allowed: Sequence[str] | None, *, relock: bool, accepted: bool
) -> PullResult:
    """The installed model; where its terms are still to be accepted, the user is asked on a terminal.

    Raises `PolicyRefusal`, and whatever `ModelStore.pull` raises.
    """
    try:
        return _pull(cli, store, card, allowed, relock=relock, accepted=accepted)
    except PolicyRefusal as error:
        if error.rule != "models.terms" or not _accepts(card):
            raise
        return _pull(cli, store, card, allowed, relock=relock, accepted=True)


def pulled(card: Card, result: PullResult) -> dict[str, Any]:
    return {
        "name": card.name,
        "version": result.version,
        "changed": result.changed,
        "folder": str(result.folder),
        "bytes": result.bytes,
        "licence": card.licence,
        "locked": {"revision": result.locked.revision, "files": dict(result.locked.files)} if result.locked else None,
    }


def tell(cli: Cli, card: Card, result: PullResult) -> None:
    state = "installed" if result.changed else "is installed already"
    cli.err.print(f"{card.name} {state}: {result.bytes / 1e6:.0f} MB, verified, {card.licence}", markup=False)
    if result.locked is not None:
        cli.err.print(f"  trusted on first use and locked: revision {visible(result.locked.revision)}", markup=False)
        for name, sha256 in sorted(result.locked.files.items()):
            cli.err.print(f"  {sha256}  {visible(name)}", markup=False)
    warn(cli, card)


def _pull(
    cli: Cli, store: ModelStore, card: Card, allowed: Sequence[str] | None, *, relock: bool, accepted: bool
) -> PullResult:
    with _progress(cli) as report:
        return store.pull(card.name, accept_terms=accepted, progress=report, allowed_licences=allowed, relock=relock)


def _accepts(card: Card) -> bool:
    """Show the terms and ask, where there is a terminal to ask on."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        return False
    click.echo(card.terms, err=True)
    return click.confirm(f"Accept these terms for {card.name}?", err=True)


@contextlib.contextmanager
def _progress(cli: Cli) -> Iterator[Callable[[PullProgress], None]]:
    """A progress bar on stderr; nothing where stderr is no terminal or with `-q`."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, console=cli.err, transient=True, disable=not cli.err.is_terminal) as bar:
        task = bar.add_task("", total=None)

        def report(progress: PullProgress) -> None:
            text = f"{progress.name}: {progress.stage} {visible(progress.file)}"
            bar.update(task, description=text, completed=progress.done, total=progress.total or None)

        yield report
