"""Tasks out of a repository's own code, and the copy in which their answers cannot be found.

All tasks are drawn first; then every one of their answers is cut out of the copy that is indexed. So no search and no
file on disk can give an answer away, whatever the pipeline reads, unless the same text stands elsewhere as well.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from tree_sitter import Node, Parser

from pointsman.measure.task import MASKS, Task
from pointsman_indexer.copying import contents, write
from pointsman_indexer.languages import grammar, language_of

_DATA = frozenset({"json", "markdown", "toml", "yaml"})
_LARGEST = 200_000
_LONGEST = 160
_MOST_LINES = 8
_LETTERS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mask:
    """Code points `start` to `end` of a file are the answer; the cursor stands at `start`."""

    kind: str
    path: str
    start: int
    end: int


class _File:
    """A file's text in lines, and which of them are prose: comments, documentation, other long strings."""

    def __init__(self, text: str, language: str) -> None:
        self.text = text
        self.lines = text.split("\n")
        self.starts = [0, *accumulate(len(line) + 1 for line in self.lines)]
        self._prose = _prose(text.encode("utf-8"), language)

    def is_code(self, number: int) -> bool:
        """Whether line `number`, from 0, is worth asking for."""
        line = self.lines[number].strip()
        letters = sum(character.isalpha() for character in line)
        return number not in self._prose and letters >= _LETTERS and len(line) <= _LONGEST


def masked(root: Path, copy: Path, kinds: Iterable[str], limit: int, seed: int, exclude: Sequence[str]) -> list[Task]:
    """At most `limit` tasks of each kind, drawn evenly from all places of the repository; writes the masked copy."""
    others: list[tuple[str, bytes]] = []
    texts: dict[str, tuple[str, str]] = {}
    places: dict[str, list[_Mask]] = {kind: [] for kind in MASKS if kind in kinds}
    draw = random.Random(seed)
    for path, data in contents(root, exclude):
        language = language_of(path, data[:65536]) or ""
        text = code(data, language)
        if text is None:
            others.append((path, data))
            continue
        texts[path] = (text, language)
        for one in _masks(path, _File(text, language), draw):
            if one.kind in places:
                places[one.kind].append(one)
    chosen = [one for own in places.values() for one in (own if len(own) <= limit else draw.sample(own, limit))]
    by_path: dict[str, list[_Mask]] = defaultdict(list)
    for one in chosen:
        by_path[one.path].append(one)
    for path, data in others:
        write(copy, path, data)
    for path, (text, _) in texts.items():
        write(copy, path, cut(text, ((one.start, one.end) for one in by_path[path])).encode("utf-8"))
    chosen.sort(key=lambda one: (one.kind, one.path, one.start))  # neighbours share much of their prompts
    return [_task(one, *texts[one.path]) for one in chosen]


def cut(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """`text` without the spans, their line ends kept, so that no other line gets another number."""
    pieces, at = [], 0
    for start, end in sorted(spans):
        pieces += [text[at:start], "\n" * text.count("\n", max(start, at), end)]
        at = max(at, end)
    return "".join((*pieces, text[at:]))


def indentation(line: str) -> int:
    return len(line) - len(line.lstrip(" \t"))


def _task(mask: _Mask, text: str, language: str) -> Task:
    return Task(
        kind=mask.kind,
        path=mask.path,
        language=language,
        before=text[: mask.start],
        after=text[mask.end :],
        truth=text[mask.start : mask.end],
        lines=0 if mask.kind == "block" else 1,
    )


def code(data: bytes, language: str) -> str | None:
    """The text with \\n as line ends; None for what is no code, too large, or not UTF-8."""
    if language in _DATA or grammar(language) is None or len(data) > _LARGEST:
        return None
    try:
        return data.decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None


def _masks(path: str, file: _File, draw: random.Random) -> Iterator[_Mask]:
    above = 0
    for number, line in enumerate(file.lines):
        if not line.strip():
            continue
        indent, end = indentation(line), len(line.rstrip())
        opened, above = indent > above, indent
        if not file.is_code(number):
            continue
        start = file.starts[number]
        yield _Mask(kind="line", path=path, start=start + indent, end=start + end)
        if end - indent >= 6:
            column = draw.randrange(indent + 1, end - 2)
            yield _Mask(kind="rest", path=path, start=start + column, end=start + end)
        if opened and (last := _block_end(file.lines, number, indent)):
            yield _Mask(
                kind="block", path=path, start=start + indent, end=file.starts[last] + len(file.lines[last].rstrip())
            )


def _block_end(lines: Sequence[str], first: int, indent: int) -> int | None:
    """The last line of the block that begins at `first`; None unless it has 2 to `_MOST_LINES` lines."""
    last = first
    for number in range(first + 1, len(lines)):
        if not lines[number].strip():
            continue
        if indentation(lines[number]) < indent:
            break
        last = number
        if last - first >= _MOST_LINES:
            return None
    return last if last > first else None


def _prose(data: bytes, language: str) -> set[int]:
    """Lines, from 0, that begin in a comment or lie within a string of several lines."""
    known = grammar(language)
    if known is None:
        return set()
    found: set[int] = set()
    waiting: list[Node] = [Parser(known.language).parse(data).root_node]
    starts = [0, *(at + 1 for at in range(len(data)) if data[at] == 10)]
    while waiting:
        node = waiting.pop()
        first, last = node.start_point[0], node.end_point[0]
        if "comment" in node.type:
            begins = not data[starts[bisect_right(starts, node.start_byte) - 1] : node.start_byte].strip()
            found.update(range(first if begins else first + 1, last + 1))
        elif "string" in node.type and last > first:
            found.update(range(first, last + 1))
        else:
            waiting.extend(node.children)
    return found
