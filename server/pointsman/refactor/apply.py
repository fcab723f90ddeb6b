"""Write reviewed edits to disk: all of them or none, and only over the very text that they were made from.

The command line's way; an editor applies a versioned workspace edit itself. No link is followed on the way from the
root to the file, and each file is replaced by a rename, so that a reader sees the old text or the new one. With a
journal, also a process that was killed between two renames leaves nothing half done: the next one finishes (`journal`).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pointsman.errors import NotFound, PointsmanError
from pointsman.refactor import journal as journals
from pointsman.refactor.place import Place
from pointsman.refactor.types import FileEdit
from pointsman_indexer.files import blob_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    edit: FileEdit
    place: Place
    old: bytes | None
    """None for a file that is to be made."""
    mode: int

    @property
    def new(self) -> bytes:
        return self.edit.new_text.encode("utf-8", "surrogatepass")


def apply(edits: Sequence[FileEdit], root: Path, journal: Path | None = None) -> None:
    """Apply all edits below `root`; `journal` is the folder that remembers them until the last one is done.

    Raises `PointsmanError` when a file is not the one that the edit was made from, is there although it was to be
    made, or is reached by a link; `NotFound` when it is gone. After any error every file is as it was.
    """
    if len({edit.path for edit in edits}) != len(edits):
        raise PointsmanError("two edits of one file cannot be applied together")
    try:
        with contextlib.ExitStack() as stack:
            targets = [stack.enter_context(_opened(edit, root)) for edit in edits]
            if journal is not None:
                entries = [
                    journals.Entry(path=t.edit.path, old=t.old, new_sha=blob_id(t.new), mode=t.mode) for t in targets
                ]
                try:
                    stack.enter_context(journals.kept(journal, root, entries))
                except OSError as error:
                    raise _unwritten(error) from error
            _write(targets)
    except OSError as error:  # of undoing, or of taking the journal away: it is there still
        raise PointsmanError(
            f"the edits could not be brought to an end: {error.strerror}",
            remedy="the next `pointsman refactor` puts the old text back",
        ) from error


def _write(targets: Sequence[_Target]) -> None:
    """Raises `PointsmanError` after every file is as it was, and `OSError` when one cannot be put back."""
    done: list[_Target] = []
    try:
        for target in targets:
            if target.place.read_if_there() != target.old:
                raise PointsmanError(f"{target.edit.path} changed while the edits were applied")
            done.append(target)  # before it is written: a rename may have happened although an error came back
            if target.old is None:
                target.place.create(target.new)
            else:
                target.place.write(target.new, target.mode)
    except BaseException as error:
        for target in reversed(done):
            _undo(target)
        if isinstance(error, OSError):
            raise _unwritten(error) from error
        raise


def _unwritten(error: OSError) -> PointsmanError:
    return PointsmanError(f"the edits could not be written: {error.strerror}; nothing was changed")


def _undo(target: _Target) -> None:
    """Back to the old bytes, where the new ones are; somebody else's text is not ours to touch."""
    if target.place.read_if_there() == target.new:
        target.place.restore(target.old, target.mode)


@contextmanager
def _opened(edit: FileEdit, root: Path) -> Iterator[_Target]:
    """The file's place, reached without following a link, and its contents after the checks."""
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(Place.below(root, edit.path, make_folders=edit.creates))
            if edit.creates:
                if place.read_if_there() is not None:
                    raise PointsmanError(f"{edit.path} is there already", remedy="name it as a file to change")
                found = _Target(edit=edit, place=place, old=None, mode=0o644)
            else:
                data, mode = place.read()
                if blob_id(data) != edit.base_sha:
                    raise PointsmanError(
                        f"{edit.path} is no longer the text that the edit was made from",
                        remedy="run the refactor again",
                    )
                found = _Target(edit=edit, place=place, old=data, mode=mode)
        except FileNotFoundError as error:
            raise NotFound(f"{edit.path} does not exist") from error
        except OSError as error:
            raise PointsmanError(f"{edit.path} cannot be changed: {error.strerror}") from error
        yield found
