"""The files of a folder that git does not list: walked, with the `.gitignore` files honoured as git would."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

import pathspec
import re2

from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.files import first_bytes

UNMANAGED_FOLDERS = frozenset({"node_modules", ".venv", "venv", "__pycache__", ".tox", ".nox", ".cache", ".idea"})
"""Not walked where git does not list the files: dependencies and caches that no `.gitignore` names."""

_LARGEST_GITIGNORE = 100 * 1024 * 1024
"""Git's own limit."""


def plain(root: Path, exclusions: Exclusions, below: str = "") -> Iterator[str]:
    """The files below the folder `below` ("" or with a `/` at its end); repositories among the folders end with `/`."""
    waiting: list[tuple[str, tuple[tuple[str, pathspec.GitIgnoreSpec], ...]]] = [(below, ())]
    while waiting:
        folder, specs = waiting.pop()
        try:
            entries = list(os.scandir(root / folder))
        except OSError:
            continue
        if any(entry.name == ".gitignore" for entry in entries):
            specs = (*specs, (folder, _gitignore(root, f"{folder}.gitignore")))
        for entry in entries:
            path = folder + entry.name
            is_folder = entry.is_dir(follow_symlinks=False)
            if _ignored(path + "/" * is_folder, specs):
                continue
            if not is_folder:
                yield path
            elif entry.name not in UNMANAGED_FOLDERS and not exclusions.excludes(path + "/"):
                if os.path.lexists(root / path / ".git"):
                    yield f"{path}/"
                else:
                    waiting.append((path + "/", specs))


def _ignored(path: str, specs: Iterable[tuple[str, pathspec.GitIgnoreSpec]]) -> bool:
    ignored = False
    for base, spec in specs:
        verdict = spec.check_file(path.removeprefix(base)).include
        ignored = ignored if verdict is None else verdict
    return ignored


def _gitignore(root: Path, path: str) -> pathspec.GitIgnoreSpec:
    """What cannot be read, a link and a pipe ignore nothing; git follows no link to one either."""
    try:
        data = first_bytes(root, path, _LARGEST_GITIGNORE)
        return pathspec.GitIgnoreSpec.from_lines(data.decode("utf-8", "replace").splitlines())
    except (OSError, ValueError, re2.error):
        return pathspec.GitIgnoreSpec.from_lines([])
