"""Files on disk as the snapshots that the pipelines take."""

from __future__ import annotations

from pathlib import Path

from pointsman.errors import NotFound, PointsmanError, UsageError
from pointsman.session import Snapshot

_LARGEST = 10 * 1024 * 1024


def snapshot_of(path: Path, root: Path | None = None) -> Snapshot:
    """The file as it is on disk, line endings kept. Raises `PointsmanError` for what is no text file.

    Args:
        root: a folder above it that it belongs to; the repository that it is found in by default.
    """
    from pointsman_indexer import find_root
    from pointsman_indexer.languages import language_of

    path = path.resolve() if root is None else path
    try:
        if not path.is_file():
            raise UsageError(f"{path.name} is not a regular file")
        if path.stat().st_size > _LARGEST:
            raise PointsmanError(f"{path.name} is larger than {_LARGEST // 2**20} MB")
        text = path.read_bytes().decode("utf-8")
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
