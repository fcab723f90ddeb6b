"""Git as a child process that a repository cannot make do anything but read.

Only commands that apply no filters run here, and without hooks, file-system monitor or locks, so that a repository's
configuration executes nothing. Nor can it keep us waiting: git opens its files as they are, and a named pipe among them
holds it until someone writes.
"""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

log = logging.getLogger(__name__)

_SECONDS = 120
_TIMEOUT = "did not complete in"
"""GitPython's words for a child that it has ended."""
_OPENED = (".gitignore", ".git/HEAD", ".git/config", ".git/index", ".git/info/exclude")
"""What git opens at a root whatever it is asked; pipes elsewhere are found by the time that git takes."""
_stuck: set[Path] = set()
"""Where git did not come to the end of a listing: not asked again by this process, or every change of a file would wait
as long."""
_OPTIONS = ("-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null", "-c", "core.untrackedCache=false")
_ENVIRONMENT = {"GIT_OPTIONAL_LOCKS": "0", "GIT_TERMINAL_PROMPT": "0", "GIT_NO_LAZY_FETCH": "1"}
_LOCATIONS = (
    *("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE"),
    *("GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_PREFIX", "GIT_CONFIG", "GIT_CONFIG_PARAMETERS", "GIT_CONFIG_COUNT"),
)
"""Set within hooks; they would point git at another repository than the one asked for."""


def revision(root: Path) -> str:
    """The commit that HEAD names, or "" outside a repository and before the first commit."""
    output = git(root, "rev-parse", "--verify", "--quiet", "HEAD")
    return output.decode("ascii", "replace").strip() if output else ""


def git(root: Path, *arguments: str) -> bytes | None:
    """What git prints, or None when there is no git, no repository, or git refuses."""
    try:
        from git import Git
        from git.exc import GitCommandError, GitCommandNotFound
    except ImportError:  # GitPython's way to say that there is no git
        return None
    if root in _stuck or any(_is_pipe(root / name) for name in _OPENED):
        return None
    # GitPython can add to the environment but not take from it.
    unset = [part for name in _LOCATIONS if name in os.environ for part in ("-u", name)]
    command = [*(("env", *unset) if unset else ()), "git", *_OPTIONS, *arguments]
    try:
        output = Git(root).execute(
            command,
            env=_ENVIRONMENT,
            stdout_as_string=False,
            strip_newline_in_stdout=False,
            kill_after_timeout=_SECONDS,
        )
    except GitCommandError as error:
        if "dubious ownership" in str(error.stderr):
            log.warning("git refuses %s, which another user owns; its files are listed without git", root.name)
        elif "--others" in arguments and _TIMEOUT in str(error.stderr):
            _stuck.add(root)
            log.warning("git does not answer in %s; its files are listed without git", root.name)
        return None
    except GitCommandNotFound:
        return None
    assert isinstance(output, bytes)
    return output


def _is_pipe(path: Path) -> bool:
    try:
        return stat.S_ISFIFO(os.lstat(path).st_mode)
    except OSError:
        return False
