"""What is to be changed, read from a query and checked: selections in documents, and files that may be made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pointsman.errors import PolicyRefusal, UsageError
from pointsman.exclusion import ExclusionsOf, why_excluded
from pointsman.ondisk import real
from pointsman.refactor.lines import Selection, select
from pointsman.refactor.types import Part, RefactorQuery
from pointsman.session import Snapshot

MOST = 20
"""Files of one change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """A part with its lines."""

    snapshot: Snapshot
    selection: Selection
    read_only: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    instruction: str
    parts: tuple[Chosen, ...]
    """At least one, each of another file."""
    creates: tuple[Snapshot, ...]
    """Files that may be made, empty as yet."""

    @property
    def root(self) -> Path | None:
        return self.parts[0].snapshot.root

    @property
    def paths(self) -> tuple[str, ...]:
        """Root-relative, of all files."""
        return tuple(one.relative for one in (*(part.snapshot for part in self.parts), *self.creates))


def work_of(query: RefactorQuery, exclusions: ExclusionsOf) -> Work:
    """Looks at the file system, so call it in a thread.

    Raises `UsageError` for an empty instruction, lines that are not there, files that do not go together and links out
    of the repository, and `PolicyRefusal` for an excluded file.
    """
    if not query.instruction.strip():
        raise UsageError("the instruction is empty")
    if not query.parts or len(query.parts) + len(query.creates) > MOST:
        raise UsageError(f"a change is of 1 to {MOST} files")
    snapshots = [part.snapshot for part in query.parts]
    for snapshot in snapshots:
        _allowed(snapshot, exclusions)
    parts = tuple(_chosen(part) for part in query.parts)
    root = snapshots[0].root
    if len(snapshots) > 1 or query.creates:
        if root is None or any(snapshot.root != root or snapshot.path is None for snapshot in snapshots):
            raise UsageError("files of one change must be of the same repository")
        if len({snapshot.relative for snapshot in snapshots}) != len(snapshots):
            raise UsageError("a file is named twice", remedy="name it once, with one range of lines")
    if all(part.read_only for part in parts) and not query.creates:
        raise UsageError("nothing may change: all lines are there to be read only")
    creates = tuple(_new(root, path, exclusions) for path in dict.fromkeys(query.creates)) if root is not None else ()
    return Work(instruction=query.instruction, parts=parts, creates=creates)


def _chosen(part: Part) -> Chosen:
    selection = select(part.snapshot.text, part.start_line, part.end_line)
    return Chosen(snapshot=part.snapshot, selection=selection, read_only=part.read_only)


def _new(root: Path, path: str, exclusions: ExclusionsOf) -> Snapshot:
    from pointsman_indexer.languages import language_of

    parts = PurePosixPath(path).parts
    if not parts or PurePosixPath(path).is_absolute() or ".." in parts or not all(map(str.isprintable, parts)):
        raise UsageError("a new file needs a path inside the repository", remedy="such as tests/test_it.py")
    relative = PurePosixPath(path).as_posix()
    file = root / relative
    if file.exists() or file.is_symlink():
        raise UsageError(f"{relative} is there already", remedy="name it as a file to change")
    if not file.parent.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{relative} lies outside the repository")
    made = Snapshot(uri=file.as_uri(), path=file, root=root, language=language_of(relative) or "", version=0, text="")
    _allowed(made, exclusions)
    return made


def _allowed(snapshot: Snapshot, exclusions: ExclusionsOf) -> None:
    if snapshot.path is not None:
        real(snapshot.path, snapshot.root)  # an editor opens a link as the file that it leads to, and would write there
    if reason := why_excluded(snapshot, exclusions):
        raise PolicyRefusal(f"the file is excluded: {reason}", rule=reason)
