"""Whether a file may be looked at, asked the same way by all three pipelines.

The rules are the indexer's; this module knows that a path can be reached by two names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pointsman.errors import ConfigError
from pointsman.session import Snapshot

if TYPE_CHECKING:
    from pointsman_indexer import Exclusions


class Excluder(Protocol):
    """The exclusion rules of one root."""

    def excludes(self, relative: str) -> str | None:
        """The rule that excludes a root-relative path with `/`, in words; None when it may be used."""
        ...

    @property
    def fingerprint(self) -> str:
        """The same for the same rules."""
        ...


ExclusionsOf = Callable[[Path], Excluder]
"""Gives the rules of a root, as they are now; raises `PointsmanError` when they cannot be read."""


def rules_of(root: Path, patterns: Sequence[str]) -> Exclusions:
    """The index's own rules for a root and these patterns. Raises `ConfigError` for what is no pattern."""
    from pointsman_indexer import Exclusions, ExclusionsInvalid

    try:
        return Exclusions(root, patterns)
    except ExclusionsInvalid as error:
        raise ConfigError(str(error)) from error


def why_excluded(snapshot: Snapshot, exclusions: ExclusionsOf) -> str | None:
    """Why this document must not be used, or None. Reads the file system, so call it in a thread.

    A link is judged by its own name and by what it points to: neither may be excluded. A path outside of the root, or
    without one, is judged as a whole, from the top of the file system.
    """
    if snapshot.path is None:
        return None
    for path in dict.fromkeys((snapshot.path, snapshot.path.resolve())):
        root, relative = _place(path, snapshot.root)
        if reason := exclusions(root).excludes(relative):
            return reason
    return None


def admitted(root: Path, paths: Iterable[str], exclusions: ExclusionsOf) -> frozenset[str]:
    """Those of the root-relative paths that may be used now, whatever the index says. Call it in a thread."""
    rules = exclusions(root)
    return frozenset(path for path in paths if rules.excludes(path) is None)


def _place(path: Path, root: Path | None) -> tuple[Path, str]:
    if root is not None:
        for name in (root, root.resolve()):
            if path.is_relative_to(name):
                return root, path.relative_to(name).as_posix()
    top = Path(path.anchor)
    return top, path.relative_to(top).as_posix()
