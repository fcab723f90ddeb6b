"""Real commits as somebody's typing: what each change did to a file, one character at a time.

What a commit took away goes at once, as with a selection or a command; what it added is typed at its place. A new
line begins with the indentation that an editor gives it. Where as many lines came as went, only what differs in each
is typed, in the middle of the line.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from pointsman.measure.masks import code, indentation
from pointsman.session import Edit, difference
from pointsman_indexer.exclude import Exclusions
from pointsman_indexer.git import git
from pointsman_indexer.languages import language_of

_FEWEST = 8
_MOST = 200
_MOST_FILES = 20
_COMMITS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Stroke:
    """One edit of the text, and where the cursor is then. `typed` is False for what is not a keystroke."""

    edit: Edit
    cursor: int
    typed: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Burst:
    """One change of one file: the text that it began with, and the strokes that made it."""

    parent: str
    """The commit before, whose files are on disk meanwhile."""
    path: str
    language: str
    text: str
    strokes: tuple[Stroke, ...]

    @property
    def keystrokes(self) -> int:
        return sum(stroke.typed for stroke in self.strokes)


def bursts(root: Path, limit: int, seed: int, exclusions: Exclusions) -> list[Burst]:
    """Bursts of at most `limit` keystrokes together, drawn from the newest commits, those of one commit in a row.

    Of files that are excluded now, there are none.
    """
    listed = git(root, "log", "--no-merges", "--format=%H %P", f"--max-count={_COMMITS}", "HEAD", "--")
    pairs = [line.split() for line in (listed or b"").decode("ascii", "replace").splitlines()]
    found = [one for pair in pairs if len(pair) == 2 for one in _of_commit(root, pair[0], pair[1], exclusions)]
    random.Random(seed).shuffle(found)
    chosen: list[Burst] = []
    left = limit
    for one in found:
        if one.keystrokes <= left:
            chosen.append(one)
            left -= one.keystrokes
        if left < _FEWEST:
            break
    order = {pair[-1]: number for number, pair in enumerate(pairs)}
    return sorted(chosen, key=lambda one: -order[one.parent])


def strokes(before: str, after: str) -> Iterator[tuple[str, tuple[Stroke, ...]]]:
    """Each change from `before` to `after`, in order: the text that it begins with, and its strokes."""
    old, new = _lines(before), _lines(after)
    for kind, i, i_end, j, j_end in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if kind not in ("insert", "replace"):
            continue
        text = "".join((*new[:j], *old[i:]))
        at = sum(map(len, new[:j]))
        gone, come = old[i:i_end], new[j:j_end]
        if len(gone) == len(come):
            yield text, tuple(_changed(at, gone, come))
        else:
            length = sum(map(len, gone))
            first = (Stroke(edit=Edit(at, at + length, ""), cursor=at, typed=False),) if length else ()
            yield text, (*first, *_added(at, come, first_line=at == 0))


def _lines(text: str) -> list[str]:
    """With their ends, which are \\n alone."""
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _added(at: int, lines: Sequence[str], *, first_line: bool) -> Iterator[Stroke]:
    for number, line in enumerate(lines):
        body = line.removesuffix("\n")
        lead = body[: indentation(body)]
        if first_line and not number:  # there is no line above whose end one could stand at
            yield Stroke(edit=Edit(0, 0, f"{lead}\n"), cursor=len(lead))
        else:
            yield Stroke(edit=Edit(at - 1, at - 1, f"\n{lead}"), cursor=at + len(lead))
        yield from _typed(at + len(lead), body[len(lead) :])
        at += len(body) + 1


def _changed(at: int, gone: Sequence[str], come: Sequence[str]) -> Iterator[Stroke]:
    for old, new in zip(gone, come, strict=True):
        edit = difference(old, new)
        if edit.end > edit.start:
            start = at + edit.start
            yield Stroke(edit=Edit(start, at + edit.end, ""), cursor=start, typed=False)
        yield from _typed(at + edit.start, edit.new)
        at += len(new)


def _typed(at: int, text: str) -> Iterator[Stroke]:
    for number, character in enumerate(text):
        yield Stroke(edit=Edit(at + number, at + number, character), cursor=at + number + 1)


def _of_commit(root: Path, commit: str, parent: str, exclusions: Exclusions) -> Iterator[Burst]:
    names = ("--no-renames", "--diff-filter=M", "--name-only", "-z", "-r")
    listed = git(root, "diff-tree", *names, parent, commit, "--")
    paths = [path for path in (listed or b"").decode("utf-8", "replace").split("\0") if path]
    for path in paths if len(paths) <= _MOST_FILES else ():
        if exclusions.excludes(path):
            continue
        texts = [_text(root, revision, path) for revision in (parent, commit)]
        if texts[0] is None or texts[1] is None:
            continue
        for text, made in strokes(texts[0], texts[1]):
            one = Burst(parent=parent, path=path, language=language_of(path) or "", text=text, strokes=made[:_MOST])
            if one.keystrokes >= _FEWEST:
                yield one


def _text(root: Path, revision: str, path: str) -> str | None:
    data = git(root, "cat-file", "blob", f"{revision}:{path}")
    return None if data is None else code(data, language_of(path, data[:65536]) or "")
