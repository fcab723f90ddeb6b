"""Files on disk as the snapshots that the pipelines take. A link in a repository leads nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from pointsman.errors import NotFound, PointsmanError, UsageError
from pointsman.session import Snapshot

_LARGEST = 10 * 1024 * 1024
_MOST_LINKS = 40
"""On the way to one file, as Linux has it."""


def snapshot_of(path: Path, root: Path | None = None) -> Snapshot:
    """The file as it is on disk, line endings kept.

    Raises `PointsmanError` for what is no text file, and `UsageError` for one that a link leads to out of a repository.

    Args:
        root: a folder above it that it belongs to; the repository that it is found in by default.
    """
    from pointsman_indexer import find_root
    from pointsman_indexer.languages import language_of

    try:
        file = real(path, root)
        path = file if root is None else path
        if not file.is_file():
            raise UsageError(f"{path.name} is not a regular file")
        if file.stat().st_size > _LARGEST:
            raise PointsmanError(f"{path.name} is larger than {_LARGEST // 2**20} MB")
        text = file.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise PointsmanError(f"{path.name} is not UTF-8", remedy="save it as UTF-8") from error
    except FileNotFoundError as error:
        raise NotFound(f"{path.name} does not exist") from error
    except OSError as error:
        raise PointsmanError(f"{path.name} cannot be read: {error.strerror}") from error
    root = root or find_root(path)
    return Snapshot(
        uri=path.as_uri(),
        path=path,
        root=root,
        language=language_of(path.relative_to(root).as_posix()) or "",
        version=0,
        text=text,
    )


def real(path: Path, root: Path | None = None) -> Path:
    """The path without links. Looks at the file system, so call it in a thread.

    Raises `UsageError` for one that a link leads out of the repository that the link stands in: whoever wrote the
    repository chose where it leads, and that may be `~/.bashrc`. `PointsmanError` for what cannot be looked at.

    Args:
        root: what counts as one where a link stands in none; its folder by default.
    """
    try:
        return _followed(path.absolute(), root)
    except OSError as error:
        raise PointsmanError(f"{path.name[:100]} cannot be read: {error.strerror}") from error


def _followed(path: Path, root: Path | None) -> Path:
    folder, links = Path(path.anchor), 0
    waiting = list(path.parts[:0:-1])
    while waiting:
        one = folder / (name := waiting.pop())
        if name == "..":
            folder = folder.parent
        elif not one.is_symlink():
            folder = one
        else:
            links += 1
            if links > _MOST_LINKS:
                raise UsageError(f"{path.name} is a link that leads in a circle")
            _stays(one, root, last=not waiting)
            target = one.readlink()
            folder = Path(target.anchor) if target.is_absolute() else folder
            waiting += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    return folder


def _stays(link: Path, root: Path | None, *, last: bool) -> None:
    """Raises `UsageError` for a link out of its repository; where there is none, out of `root`, or out of its folder if
    it is the last link of a path: folders are linked for other reasons too, as `/tmp` is on a Mac."""
    from pointsman_indexer import find_root

    inside, held = find_root(link.parent), True
    if not (inside / ".git").exists():
        held = last
        if root is not None and (link.parent.is_relative_to(root) or link.parent.is_relative_to(root.resolve())):
            inside, held = root.resolve(), True
    file = Path(os.path.realpath(link))
    if held and not file.is_relative_to(inside):
        raise UsageError(
            f"{link.name} is a link out of {inside.name or inside}", remedy=f"name what it leads to: {file}"
        )
