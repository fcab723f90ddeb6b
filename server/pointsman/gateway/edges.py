"""The text of files around what a request shows of them: there a secret stands whole that a cut went through.

A selection can end within a literal, fences stand between the lines, and the name that gives a value away may be the
line above. So what is secret is looked for here as well, by the gateway's own reading of the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from pointsman.host.api import Span
from pointsman_indexer.files import read

_LINES = 100
"""Before and after the lines that are shown: longer than a key, or an assignment, is wrapped."""


def texts(workspace: Path, spans: Iterable[Span]) -> Iterator[str]:
    """Windows of the files as they are now; nothing of one that cannot be read, or is too large to be indexed."""
    by_file: dict[str, list[tuple[int, int]]] = {}
    for span in spans:
        by_file.setdefault(span.path, []).append((max(1, span.start_line - _LINES), span.end_line + _LINES))
    for path, windows in by_file.items():
        try:
            found = read(workspace, path)
        except OSError:
            continue
        if found is None:
            continue
        lines = found.data.decode("utf-8", "replace").splitlines(keepends=True)
        for first, last in _joined(windows):
            yield "".join(lines[first - 1 : last])


def _joined(windows: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    joined: list[tuple[int, int]] = []
    for first, last in sorted(windows):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(last, joined[-1][1]))
        else:
            joined.append((first, last))
    return joined
