"""Which files a repository has: all of them, or those at some paths.

Git lists them: tracked ones and untracked ones that its ignore rules let through. Submodules that are checked out
belong to the repository, each listed by its own git. Where git is missing or refuses (a folder of another owner), the
folder is walked. Symbolic links are never followed: what they lead to inside the root is listed at its own place.
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pointsman_indexer.errors import IndexerError
from pointsman_indexer.exclude import IGNORE_FILE, Exclusions
from pointsman_indexer.files import LARGEST, FileEntry, entry_of
from pointsman_indexer.git import git
from pointsman_indexer.plain import plain

_MOST_FILES = 200_000
MOST_TOLD = 20
"""Paths that a report gives for one reason."""
_DEEPEST_SUBMODULE = 8
_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard")

_GENERATED = frozenset(
    {
        *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "poetry.lock"),
        *("pdm.lock", "uv.lock", "pipfile.lock", "cargo.lock", "gemfile.lock", "composer.lock", "go.sum", "flake.lock"),
    }
)
_GENERATED_ENDS = (".min.js", ".min.css", ".min.mjs", ".js.map", ".css.map", ".ts.map", ".bundle.js")


@dataclass(slots=True)
class Walk:
    files: list[FileEntry] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Files left out by reason: excluded, too_large, generated, symlink, submodule, special, unreadable."""
    places: dict[str, list[str]] = field(default_factory=dict)
    """By reason, the first paths of those left out; none of what is excluded, which is as if it were absent."""
    by_git: bool = True

    def leave_out(self, reason: str, path: str) -> None:
        self.skipped[reason] += 1
        if reason != "excluded":
            told = self.places.setdefault(reason, [])
            if len(told) < MOST_TOLD:
                told.append(path.encode("utf-8", "backslashreplace").decode())  # it may be no text


def walk(root: Path, exclusions: Exclusions) -> Walk:
    """Every file that may be indexed, in order of path. Excluded files are not even looked at.

    Raises `IndexerError` when the root cannot be read or holds more files than an index is made for.
    """
    if not root.is_dir():
        raise IndexerError(f"{root} is not a folder")
    found = Walk()
    seen: set[str] = set()
    for path in _listed(root, exclusions, found):
        seen.add(path)
        if len(seen) > _MOST_FILES:
            raise IndexerError(f"{root} has more than {_MOST_FILES} files", remedy="choose a smaller folder")
    _take(root, seen, exclusions, found)
    return found


def decides(path: str) -> bool:
    """Whether a change of this file may change which other files there are."""
    return path.rpartition("/")[2] in (".gitignore", ".gitmodules", IGNORE_FILE) or ".git" in path.split("/")


def look(root: Path, paths: Iterable[str], known: Container[str], exclusions: Exclusions) -> Walk:
    """What `walk` would find at and below these paths. Git is asked only about what is not among `known`.

    A known file may have become ignored only by a change of a file that `decides`.
    """
    listed: set[str] = set()
    asked: dict[str, list[str]] = {}
    for path in paths:
        if exclusions.excludes(path) is None:
            if path in known and not (root / path).is_dir():
                listed.add(path)
            elif os.path.lexists(root / path):
                asked.setdefault(_home(root, path), []).append(path)
    for home, own in asked.items():
        listed |= _listed_among(root, home, own, exclusions)
    found = Walk()
    _take(root, listed, exclusions, found)
    return found


def _listed(root: Path, exclusions: Exclusions, found: Walk, below: str = "", depth: int = 0) -> Iterator[str]:
    """The paths of the repository at `below` and of its submodules; a repository that stays closed is counted."""
    prefix = f"{below}/" if below else ""
    listing = git(root / below, *_LIST)
    if listing is None:
        found.by_git = found.by_git and bool(below)
        paths: Iterable[str] = plain(root, exclusions, prefix)
    else:
        paths = (prefix + path for path in _paths(listing))
    for path in paths:
        if path.endswith("/"):
            told = "submodule" if exclusions.excludes(path) is None else "excluded"
            found.leave_out(told, path)  # of its own: this repository does not know of it
        elif listing is None or not _is_folder(root, path):
            yield path
        elif exclusions.excludes(f"{path}/") is not None:
            found.leave_out("excluded", path)
        elif depth == _DEEPEST_SUBMODULE or not os.path.lexists(root / path / ".git"):
            found.leave_out("submodule", path)  # not checked out
        else:
            yield from _listed(root, exclusions, found, path, depth + 1)


def _paths(listing: bytes) -> dict[str, None]:
    """A file in conflict is listed more than once."""
    return dict.fromkeys(os.fsdecode(raw) for raw in listing.split(b"\0") if raw)


def _is_folder(root: Path, path: str) -> bool:
    """Whether an entry of git's listing is a folder: then it is a commit of another repository."""
    try:
        return stat.S_ISDIR(os.lstat(f"{root}/{path}").st_mode)
    except OSError:
        return False


def _home(root: Path, path: str) -> str:
    """The folder of the innermost repository that holds `path`, relative to the root; "" for the root's own."""
    folder = path.rpartition("/")[0]
    while folder and not os.path.lexists(root / folder / ".git"):
        folder = folder.rpartition("/")[0]
    return folder


def _listed_among(root: Path, home: str, paths: Sequence[str], exclusions: Exclusions) -> set[str]:
    """Of these paths, all in the repository at `home`, and of what is below them: what git lists."""
    if home and home not in _listed_among(root, _home(root, home), [home], exclusions):
        return set()  # of its own: the repository around it does not know of it
    prefix = f"{home}/" if home else ""
    listing = git(root / home, "--literal-pathspecs", *_LIST, "--", *(path.removeprefix(prefix) for path in paths))
    if listing is not None:
        return {prefix + path for path in _paths(listing)}
    below = tuple(f"{path}/" for path in paths)
    return {path for path in plain(root, exclusions, prefix) if path in paths or path.startswith(below)}


class _Places:
    """Which folders below a root are where their path says, with no link on the way."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._real = root.resolve()
        self._known: dict[str, bool] = {}

    def holds(self, path: str) -> bool:
        folder = path.rpartition("/")[0]
        if folder not in self._known:
            self._known[folder] = (self._real / folder).resolve() == self._real / folder
        return self._known[folder]


def _take(root: Path, listed: set[str], exclusions: Exclusions, found: Walk) -> None:
    """Take the files in, in order, and count those that are left out."""
    places = _Places(root)
    links = []
    for path in sorted(listed):
        reason = _look(places, path, exclusions, found)
        if reason == "symlink":
            links.append(path)
        elif reason:
            found.leave_out(reason, path)
    folders = {str(folder) for entry in found.files for folder in PurePosixPath(entry.path).parents} if links else set()
    real_root = os.path.realpath(root)
    for path in links:
        target = os.path.relpath(os.path.realpath(root / path), real_root)
        if target not in listed and target not in folders:  # what is listed is left out nowhere
            found.leave_out("symlink", path)


def _look(places: _Places, path: str, exclusions: Exclusions, found: Walk) -> str:
    """Take the file in, or say why not; "" also for one that is gone."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        known = path.encode("utf-8", "replace").decode()
        return "unreadable" if exclusions.excludes(known) is None else "excluded"
    if exclusions.excludes(path) is not None:
        return "excluded"
    if not places.holds(path):
        return "symlink"
    try:
        status = os.lstat(f"{places.root}/{path}")
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        return "unreadable"
    if stat.S_ISLNK(status.st_mode):
        return "symlink"
    if not stat.S_ISREG(status.st_mode):
        return "special"
    name = path.rpartition("/")[2].lower()
    if name in _GENERATED or name.endswith(_GENERATED_ENDS):
        return "generated"
    if status.st_size > LARGEST:
        return "too_large"
    found.files.append(entry_of(path, status))
    return ""
