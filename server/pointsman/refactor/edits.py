"""A change of one file as values: the new text, the hash of the old one, and a unified diff for people."""

from __future__ import annotations

import difflib

from pointsman.refactor.lines import split_lines
from pointsman.refactor.types import FileEdit
from pointsman.session import Snapshot


def file_edit(base: Snapshot, new_text: str) -> FileEdit | None:
    """None when nothing changes. The diff of a long file takes a while, so call it in a thread."""
    if new_text == base.text:
        return None
    path = base.relative
    return FileEdit(path=path, base_sha=base.sha, diff=unified(path, base.text, new_text), new_text=new_text)


def unified(path: str, old: str, new: str) -> str:
    """The unified diff with three lines of context and `a/`, `b/` in front of the path, as `git apply` reads it."""
    lines = difflib.unified_diff(split_lines(old), split_lines(new), fromfile=f"a/{path}", tofile=f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
