"""Questions that a repository's history asks: what a commit says, and the files that it changed.

A commit's message tells in words what its files are about, before or after the fact: SWE-bench's way to localise a
change (Jimenez et al. 2024), without its issues. The files are today's, so only young history fits them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pointsman_indexer.git import git

_MOST_FILES = 8
_LONGEST = 400
_FEWEST_WORDS = 4
_RECORD = "--format=%x01%H%x02%s%x02%b%x03"
_PREFIX = re.compile(r"^(?:\w+(?:\([^)]*\))?!?|\[[^\]]*\])\s*:\s+|^\[[^\]]*\]\s*")
_MENTION = re.compile(r"\s*\(?(?:(?:fix(?:es)?|close[sd]?|resolve[sd]?|refs?|see|part of|gh)[ :-]*)?#\d+\)?", re.I)
_CHORE = re.compile(
    r"^(?:bump|release|version|v?\d+\.\d|merge|revert|wip\b|lint|format|reformat|black\b|ruff\b|pre-commit|typos?\b|"
    r"fix(?:e[sd])? (?:a |some )?(?:typos?|spelling|lint|ci|build|tests?|docs?)\b|"
    r"(?:update|upgrade)s? (?:the )?(?:dependenc|changelog|changes|copyright|readme|authors|translations|"
    r"requirements))|dependabot|changelog",
    re.I,
)
_TRAILER = re.compile(r"^(?:[A-Z][\w-]+-by|Change-Id|Cc|Bug|Link|PiperOrigin-RevId): ", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitTask:
    """One commit. `paths` are those of its files that are still there, at most eight."""

    commit: str
    query: str
    """Its subject and the first paragraph of its body, without prefixes, trailers and numbers of issues."""
    paths: tuple[str, ...]


def commits(root: Path, limit: int) -> list[CommitTask]:
    """Up to `limit` commits of HEAD's history, newest first, that say something and change few files.

    Merges, releases, version bumps and the like are left out; so is a commit none of whose files is left. Empty where
    there is no repository. A shallow clone has what it has; its last commit, which seems to add everything, is dropped
    with all others that change many files.
    """
    names = ("-z", "--name-only", "--no-merges", "--no-renames", "--diff-filter=AMT", "--relative")
    quiet = ("--no-color", "--no-show-signature", "--no-ext-diff", "--no-textconv", "--no-mailmap", "--no-notes")
    most = f"--max-count={8 * limit}"
    output = git(root, "log", _RECORD, *names, *quiet, most, "HEAD", "--")
    return list(_tasks(root, output.decode("utf-8", "replace"), limit)) if output else []


def added_lines(root: Path, commit: str, paths: Sequence[str]) -> dict[str, list[str]]:
    """The lines that the commit added to each of these files; those that it took away have no place now."""
    quiet = ("--no-color", "--no-ext-diff", "--no-textconv", "--no-renames", "--no-prefix", "--relative")
    found = {}
    for path in paths:
        output = git(root, "--literal-pathspecs", "diff-tree", "-p", "-U0", "--root", *quiet, commit, "--", path)
        _, _, patch = (output or b"").decode("utf-8", "replace").partition("\n@@")
        found[path] = [line[1:] for line in patch.split("\n") if line.startswith("+")]
    return found


def _tasks(root: Path, output: str, limit: int) -> Iterator[CommitTask]:
    given = 0
    for record in output.split("\x01")[1:]:
        head, _, files = record.partition("\x03")
        commit, subject, body = (*head.split("\x02"), "", "")[:3]
        changed = [path for path in (part.strip("\n") for part in files.split("\0")) if path]
        query = _query(subject, body)
        if not query or len(changed) > _MOST_FILES:
            continue
        there = tuple(path for path in changed if (root / path).is_file() and not (root / path).is_symlink())
        if there:
            yield CommitTask(commit=commit, query=query, paths=there)
            given += 1
            if given == limit:
                return


def _query(subject: str, body: str) -> str:
    text = _MENTION.sub("", _PREFIX.sub("", subject)).strip(" .")
    if _CHORE.search(subject) or _CHORE.search(text) or len(text.split()) < _FEWEST_WORDS:
        return ""
    paragraph = body.strip().split("\n\n", 1)[0]
    if paragraph and not _TRAILER.search(paragraph):
        text = f"{text}. {_MENTION.sub('', paragraph)}"
    return " ".join(text.split())[:_LONGEST].strip()
