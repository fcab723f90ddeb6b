"""Which file the tests of a file belong in, by what is there and by the custom of its language."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

from pointsman.errors import UsageError
from pointsman.refactor.types import Part
from pointsman.session import Snapshot

_WRITE_TESTS = "write tests for the code that is there to be read; leave tests that there are as they are"
_SOURCES = ("src", "lib")
"""Folders that a mirrored path in the folder of tests leaves away."""


def file_for_tests(tested: Part) -> Path:
    """The file, there or not, that tests of the lines belong in. Looks at the file system, so call it in a thread.

    Raises `UsageError` where that is not known.
    """
    root, path = tested.snapshot.root, tested.snapshot.relative
    place = None if root is None or tested.snapshot.path is None else place_of(root, path, tested.snapshot.language)
    if root is None or place is None:
        raise UsageError(f"where the tests of {path} belong is not known", remedy="name the file with --new")
    return root / place


def with_tests(tested: Part, file: Path, there: Snapshot | None) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    """The parts and new files of a query for tests of the lines: the lines to read, and the file that the tests go
    into, which is `there` as it is now or is to be made."""
    read = replace(tested, read_only=True)
    if there is None:
        assert tested.snapshot.root is not None  # or there were no file for the tests
        return (read,), (file.relative_to(tested.snapshot.root).as_posix(),)
    return (read, Part(snapshot=there, start_line=1, end_line=sys.maxsize)), ()


def asking_for_tests(words: str) -> str:
    """The instruction of a query for tests, with what the user has to say about them, which may be nothing."""
    return f"{_WRITE_TESTS}; {words.strip()}" if words.strip() else _WRITE_TESTS


def place_of(root: Path, path: str, language: str) -> str | None:
    """Root-relative path: the first that is there, else the first whose folder has tests, else the language's own.

    None for a language without a custom of its own files, and for a file of tests.
    """
    from pointsman_indexer.pairs import is_test

    custom = _CUSTOMS.get(language)
    if custom is None or is_test(path):
        return None
    candidates = [name.as_posix() for name in custom(PurePosixPath(path))]
    there = next((name for name in candidates if (root / name).is_file()), None)
    fitting = next((name for name in candidates if _holds_tests((root / name).parent, (root / path).parent)), None)
    return there or fitting or candidates[-1]


def _holds_tests(folder: Path, own: Path) -> bool:
    """Whether it is there and, where it is the tested file's own folder, has tests already."""
    from pointsman_indexer.pairs import is_test

    return folder.is_dir() and (folder != own or any(is_test(name) for name in os.listdir(folder)))  # noqa: PTH208


# Each gives the places that are in use, the likeliest first, and last the one for a repository's first tests.


def _python(path: PurePosixPath) -> Iterator[PurePosixPath]:
    name = f"test_{path.parent.name if path.stem == '__init__' else path.stem}.py"
    mirrored = _inner(path.parent)
    for tests in ("tests", "test"):
        yield PurePosixPath(tests) / mirrored / name
        yield PurePosixPath(tests, *mirrored.parts[1:]) / name
        yield PurePosixPath(tests) / "unit" / name
        yield PurePosixPath(tests) / name
    yield path.parent / "tests" / name
    if path.parent.name:
        yield path.parent / name
    yield PurePosixPath("tests") / name


def _ecmascript(path: PurePosixPath) -> Iterator[PurePosixPath]:
    for middle in ("test", "spec"):
        name = f"{path.stem}.{middle}{path.suffix}"
        yield path.parent / name
        yield path.parent / "__tests__" / name
        yield PurePosixPath("test") / name
        yield PurePosixPath("tests") / name
    yield path.with_name(f"{path.stem}.test{path.suffix}")


def _go(path: PurePosixPath) -> Iterator[PurePosixPath]:
    yield path.with_name(f"{path.stem}_test.go")


def _java(path: PurePosixPath) -> Iterator[PurePosixPath]:
    name = f"{path.stem}Test{path.suffix}"
    parts = list(path.parent.parts)
    yield path.parent / name
    if "main" in parts:
        at = parts.index("main")
        yield PurePosixPath(*parts[:at], "test", *parts[at + 1 :]) / name


def _inner(folder: PurePosixPath) -> PurePosixPath:
    parts = folder.parts
    return PurePosixPath(*parts[1:]) if parts and parts[0] in _SOURCES else folder


_CUSTOMS: dict[str, Callable[[PurePosixPath], Iterator[PurePosixPath]]] = {
    "python": _python,
    "javascript": _ecmascript,
    "typescript": _ecmascript,
    "tsx": _ecmascript,
    "go": _go,
    "java": _java,
    "kotlin": _java,
}
