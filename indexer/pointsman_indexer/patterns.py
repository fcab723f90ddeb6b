"""A list of gitignore patterns: which line of it excludes a path."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from typing import Any

import re2

from pointsman_indexer.globs import translate

_MOST_FOLDERS = 100_000
_MOST_MEMORY = 64 << 20


class BadLine(ValueError):
    """`args[0]` is its index."""


class Patterns:
    """One list in one form of its text. The last pattern that fits decides, as in git; once a folder is excluded, so
    is all below it."""

    def __init__(self, lines: Iterable[str], form: Callable[[str], str]) -> None:
        self.form = form
        self._texts: list[tuple[bool, str]] = []
        self._lines: list[int] = []
        signs: list[bool] = []
        for number, line in enumerate(lines):
            try:
                translated = translate(line, form)
            except ValueError:
                raise BadLine(number) from None
            if translated is not None:
                signs.append(translated[0])
                self._texts.append(translated[1:])
                self._lines.append(number)
        self._compiled: dict[tuple[int, int], Any] = {}
        self._runs: list[tuple[bool, int, int]] = []
        """Patterns in a row that all exclude, or all take back: whether they exclude, the first, the end. The last run
        comes first."""
        for excludes, run in groupby(range(len(signs)), signs.__getitem__):
            indices = list(run)
            self._check(indices[0], indices[-1] + 1)
            self._runs.insert(0, (excludes, indices[0], indices[-1] + 1))
        self._folders: dict[str, int | None] = {}

    def excluding(self, path: str, is_folder: bool) -> int | None:
        """The index of the line that excludes `path`, or a folder above it; None when none does."""
        if not path or not self._runs:
            return None
        parent = path.rpartition("/")[0]
        found = self._judged(parent) if parent else None
        return self._last(path, is_folder) if found is None else found

    def _judged(self, folder: str) -> int | None:
        """The line that excludes a folder. Asks from the top and notes each answer: many files are in few folders."""
        known = self._folders
        if folder in known:
            return known[folder]
        if len(known) > _MOST_FOLDERS:
            known = self._folders = {}
        found, end = None, -1
        while end < len(folder):
            end = folder.find("/", end + 1)
            end = len(folder) if end < 0 else end
            above = folder[:end]
            if found is None:
                found = known[above] if above in known else self._last(above, True)
            known[above] = found
        return found

    def _last(self, path: str, is_folder: bool) -> int | None:
        """The line that excludes this very path, whatever is above it."""
        text = path + "\0" * is_folder
        for excludes, first, end in self._runs:
            fitting = self._fitting(first, end, text)
            if fitting is not None:
                return self._lines[fitting] if excludes else None
        return None

    def _fitting(self, first: int, end: int, text: str) -> int | None:
        """The last of these patterns that fits: all are asked at once, then halves, since most paths fit none."""
        regex = self._regex(first, end)
        if regex is not None and regex.fullmatch(text) is None:
            return None
        if end - first == 1:
            return first
        middle = (first + end) // 2
        found = self._fitting(middle, end, text)
        return self._fitting(first, middle, text) if found is None else found

    def _check(self, first: int, end: int) -> None:
        """Raises `BadLine`."""
        if self._regex(first, end) is None:
            if end - first == 1:
                raise BadLine(self._lines[first])
            middle = (first + end) // 2
            self._check(first, middle)
            self._check(middle, end)

    def _regex(self, first: int, end: int) -> Any:
        """These patterns as one expression; None when that is too large."""
        if (first, end) not in self._compiled:
            options = re2.Options()
            options.log_errors, options.never_capture, options.dot_nl = False, True, True
            options.max_mem = _MOST_MEMORY
            try:
                self._compiled[first, end] = re2.compile(_any_of(self._texts[first:end]), options)
            except re2.error:
                self._compiled[first, end] = None
        return self._compiled[first, end]


def _any_of(texts: Sequence[tuple[bool, str]]) -> str:
    """One expression of many. They share what may come before them, or the automaton grows with their number."""
    anchored, others = ([text for one, text in texts if one is which] for which in (True, False))
    return "|".join([*anchored, f"(?:.*/)?(?:{'|'.join(others)})"] if others else anchored)
