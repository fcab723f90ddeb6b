"""Which files of a repository change: told in bursts, as the file system reports them.

Knows nothing of indexes. A checkout or a branch switch shows as a change of HEAD or of git's own index and is told as
"look at everything".
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Iterable
from pathlib import Path

from pointsman_indexer.plain import UNMANAGED_FOLDERS

log = logging.getLogger(__name__)

_STEP_MS = 40
"""A save writes more than once, and tools write many files: a burst is over when this long nothing came."""
_BURST_MS = 1000
_GIT_STATE = frozenset({"HEAD", "index", "ORIG_HEAD", "packed-refs"})


async def changes(root: Path) -> AsyncGenerator[tuple[str, ...] | None, None]:
    """Paths relative to `root` with `/`, or None when everything may have changed. Ends when watching is impossible."""
    from watchfiles import awatch

    try:
        async for burst in awatch(
            root,
            watch_filter=None,
            debounce=_BURST_MS,
            step=_STEP_MS,
            recursive=True,
            ignore_permission_denied=True,
        ):
            told = relevant(root, (path for _, path in burst))
            if told is None or told:
                yield told
    except (OSError, RuntimeError) as error:  # no more inotify watches, or the folder is gone
        log.warning("the repository is not watched (%s)", type(error).__name__)


def relevant(root: Path, paths: Iterable[str]) -> tuple[str, ...] | None:
    """Of changed files, given with absolute paths, those that an index looks at; None for all.

    Folders of dependencies and caches change by the thousand; one that git tracks is found by the next full look.
    """
    told: dict[str, None] = {}
    for path in paths:
        try:
            relative = Path(path).relative_to(root)
        except ValueError:
            continue
        parts = relative.parts
        if ".git" in parts:
            if parts[-2:-1] == (".git",) and parts[-1] in _GIT_STATE:
                return None
            continue
        if parts and UNMANAGED_FOLDERS.isdisjoint(parts):
            told[relative.as_posix()] = None
    return tuple(told)
