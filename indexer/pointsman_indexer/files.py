"""Which files a repository has, and their bytes.

Git lists them: tracked ones and untracked ones that its ignore rules let through. Only `ls-files` and `rev-parse` run,
neither of which applies filters, and without hooks, file-system monitor or locks, so that a repository's configuration
executes nothing. Where git is missing or refuses (a folder of another owner), the folder is walked with the
`.gitignore` files honoured. Symbolic links are never followed. Knows nothing of languages or stores.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import os
import stat
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pathspec

from pointsman_indexer.errors import IndexerError
from pointsman_indexer.exclude import Exclusions

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024
"""Bytes of a file that is indexed, at most."""
_MOST_FILES = 200_000
_GIT_SECONDS = 120
_GIT_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")
_GIT_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
_GIT_LOCATIONS = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"),
)
"""Set within hooks; they would point git at another repository than the one asked for."""

_GENERATED = frozenset(
    {
        *("package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "poetry.lock"),
        *("pdm.lock", "uv.lock", "pipfile.lock", "cargo.lock", "gemfile.lock", "composer.lock", "go.sum", "flake.lock"),
    }
)
_GENERATED_ENDS = (".min.js", ".min.css", ".min.mjs", ".js.map", ".css.map", ".ts.map", ".bundle.js")
_UNMANAGED_FOLDERS = frozenset({"node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox", ".cache", ".idea"})
"""Not walked where git does not list the files: dependencies and caches that no `.gitignore` names."""

_RACY_NS = 2_000_000_000
"""A file touched this shortly before it was read may change again without a new timestamp on coarse file systems."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A regular file below the root. `path` is relative, with `/`; times are nanoseconds."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FileData:
    """A file's bytes with the facts of the very file that was read."""

    entry: FileEntry
    data: bytes
    blob: str
    settled: bool
    """False when the file was touched so recently that an equal timestamp proves nothing later."""


@dataclass(slots=True)
class Walk:
    files: list[FileEntry] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    """Files left out by reason: excluded, too_large, generated, symlink, submodule, special, unreadable."""
    by_git: bool = True


def blob_id(data: bytes) -> str:
    """Git's SHA-1 id of a blob with these bytes.

    Always of the bytes in the work tree and always SHA-1: so ids compare with those that editors and checks make of
    what they see, in repositories with line-ending conversion, filters or SHA-256, and where there is no repository.
    """
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


def find_root(path: Path) -> Path:
    """The repository that holds `path` (a worktree or a submodule counts as its own), else its folder."""
    path = path.absolute()
    folder = path if path.is_dir() else path.parent
    for candidate in (folder, *folder.parents):
        mark = candidate / ".git"
        # A worktree and a submodule have a file there that names the real folder.
        if mark.is_file() or (mark / "HEAD").is_file():
            return candidate
    return folder


def revision(root: Path) -> str:
    """The commit that HEAD names, or "" outside a repository and before the first commit."""
    output = _git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    return output.decode("ascii", "replace").strip() if output else ""


def walk(root: Path, exclusions: Exclusions) -> Walk:
    """Every file that may be indexed, in order of path. Excluded files are not even looked at.

    Raises `IndexerError` when the root cannot be read or holds more files than an index is made for.
    """
    if not root.is_dir():
        raise IndexerError(f"{root} is not a folder")
    found = Walk()
    listing = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if listing is None:
        found.by_git = False
        paths: Iterable[bytes] = _plain(root, exclusions)
    else:
        paths = set(listing.split(b"\0")) - {b""}
    real_root = root.resolve()
    real_folders: dict[str, bool] = {}
    for number, raw in enumerate(paths):
        if number >= _MOST_FILES:
            raise IndexerError(f"{root} has more than {_MOST_FILES} files", remedy="choose a smaller folder")
        path = os.fsdecode(raw).removesuffix("/")
        reason = _look(root, real_root, real_folders, path, exclusions, found)
        if reason:
            found.skipped[reason] += 1
    found.files.sort(key=lambda entry: entry.path)
    return found


def _look(
    root: Path, real_root: Path, real_folders: dict[str, bool], path: str, exclusions: Exclusions, found: Walk
) -> str:
    """Take the file in, or say why not; "" also for one that is gone."""
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        return "unreadable"
    if exclusions.excludes(path) is not None:
        return "excluded"
    folder = path.rpartition("/")[0]
    if folder not in real_folders:
        real_folders[folder] = (real_root / folder).resolve() == real_root / folder
    if not real_folders[folder]:
        return "symlink"
    try:
        status = os.lstat(root / path)
    except (FileNotFoundError, NotADirectoryError):
        return ""
    except OSError:
        return "unreadable"
    if stat.S_ISLNK(status.st_mode):
        return "symlink"
    if stat.S_ISDIR(status.st_mode):
        return "submodule"
    if not stat.S_ISREG(status.st_mode):
        return "special"
    name = path.rpartition("/")[2].lower()
    if name in _GENERATED or name.endswith(_GENERATED_ENDS):
        return "generated"
    if status.st_size > LARGEST:
        return "too_large"
    found.files.append(_entry(path, status))
    return ""


def read(root: Path, path: str) -> FileData | None:
    """The file's bytes, or None when it is gone, grew too large, or is no regular file below the root any more.

    Each part of the path is opened without following links, so that a link planted after the walk leads nowhere.
    Raises `OSError` when it cannot be read.
    """
    try:
        with _opened(root, path) as descriptor:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                return None
            with os.fdopen(os.dup(descriptor), "rb") as file:
                data = file.read(LARGEST + 1)
            after = os.fstat(descriptor)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise
    if len(data) > LARGEST:
        return None
    if data and status.st_size == 0 == after.st_size:
        return None  # the kernel's own files, as in /proc, say that they are empty: environments, other processes
    calm = after.st_mtime_ns == status.st_mtime_ns and time.time_ns() - status.st_mtime_ns > _RACY_NS
    return FileData(entry=_entry(path, status), data=data, blob=blob_id(data), settled=calm)


def stat_of(root: Path, path: str) -> FileEntry | None:
    """The entry of a file that was indexed before; None when it is gone or no regular file any more."""
    try:
        status = os.lstat(root / path)
    except OSError:
        return None
    return _entry(path, status) if stat.S_ISREG(status.st_mode) else None


def _entry(path: str, status: os.stat_result) -> FileEntry:
    return FileEntry(path=path, size=status.st_size, mtime_ns=status.st_mtime_ns, ctime_ns=status.st_ctime_ns)


@contextlib.contextmanager
def _opened(root: Path, path: str) -> Iterator[int]:
    *folders, name = path.split("/")
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW
    at = os.open(root, os.O_RDONLY | os.O_CLOEXEC | os.O_DIRECTORY)
    try:
        for folder in folders:
            inner = os.open(folder, flags | os.O_DIRECTORY, dir_fd=at)
            os.close(at)
            at = inner
        # Without O_NONBLOCK a named pipe would hold the indexer until someone writes to it.
        descriptor = os.open(name, flags | os.O_NONBLOCK, dir_fd=at)
    finally:
        os.close(at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _git(root: Path, *arguments: str) -> bytes | None:
    """What git prints, or None when there is no git, no repository, or git refuses."""
    try:
        from git import Git
        from git.exc import GitCommandError, GitCommandNotFound
    except ImportError:  # GitPython's way to say that there is no git
        return None
    # GitPython can add to the environment but not take from it.
    unset = [part for name in _GIT_LOCATIONS if name in os.environ for part in ("-u", name)]
    command = [*(("env", *unset) if unset else ()), "git", *_GIT_OPTIONS, *arguments]
    try:
        output = Git(root).execute(
            command,
            env=_GIT_ENVIRONMENT,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=_GIT_SECONDS,
        )
    except GitCommandError as error:
        if "dubious ownership" in str(error.stderr):
            log.warning("git refuses %s, which another user owns; its files are listed without git", root.name)
        return None
    except GitCommandNotFound:
        return None
    assert isinstance(output, bytes)
    return output


def _plain(root: Path, exclusions: Exclusions) -> Iterator[bytes]:
    """Walk the folder itself. Each folder's `.gitignore` holds for what is below it."""
    waiting: list[tuple[str, tuple[tuple[str, pathspec.GitIgnoreSpec], ...]]] = [("", ())]
    while waiting:
        folder, specs = waiting.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError:
            continue
        if any(entry.name == ".gitignore" for entry in entries):
            specs = (*specs, (folder, _gitignore(root / folder / ".gitignore")))
        for entry in entries:
            path = folder + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if _ignored(path + "/" * is_folder, specs):
                continue
            if not is_folder:
                yield os.fsencode(path)
            elif entry.name not in _UNMANAGED_FOLDERS and not exclusions.excludes(path + "/"):
                if os.path.lexists(root / path / ".git"):
                    yield os.fsencode(path)
                else:
                    waiting.append((path + "/", specs))


def _ignored(path: str, specs: Iterable[tuple[str, pathspec.GitIgnoreSpec]]) -> bool:
    ignored = False
    for base, spec in specs:
        verdict = spec.check_file(path.removeprefix(base)).include
        ignored = ignored if verdict is None else verdict
    return ignored


def _gitignore(path: Path) -> pathspec.GitIgnoreSpec:
    try:
        return pathspec.GitIgnoreSpec.from_lines(path.read_text("utf-8", "replace").splitlines())
    except (OSError, ValueError):
        return pathspec.GitIgnoreSpec.from_lines([])
