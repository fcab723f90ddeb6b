"""Changes as values: new text, hash of the old one, a unified diff for people, and what the checks say of them."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace

from pointsman.finding import FindSecrets
from pointsman.refactor.changes import Changes
from pointsman.refactor.checks import check
from pointsman.refactor.leaks import new_secrets, secrets_in
from pointsman.refactor.lines import split_lines
from pointsman.refactor.types import Checks, FileEdit
from pointsman.refactor.work import Work
from pointsman.session import Snapshot


def edits_of(
    changes: Changes, work: Work, find: FindSecrets | None = None, *, shown: Sequence[str] = (), counted: int = 0
) -> tuple[tuple[FileEdit, ...], Checks]:
    """The edits, without documents that stay as they are, and the checks of them all. Parses, so call it in a thread.

    Args:
        find: without it no secret is looked for.
        shown: what the model was given besides the work.
        counted: how many secrets the gateway found in the answer, before it put values back.
    """
    edits: list[FileEdit] = []
    checks = Checks(parses=True, in_scope=True)
    texts = (*(part.snapshot.text for part in work.parts), *shown)
    known = secrets_in(texts if len(texts) > 1 or changes.files else (), find)
    secrets = 0
    for index, text in sorted(changes.documents.items()):
        part = work.parts[index]
        if edit := file_edit(part.snapshot, text):
            edits.append(edit)
            checks = checks.together(check(part.snapshot, text, part.selection))
            secrets += new_secrets(part.snapshot.text, text, find, known)
    for index, text in sorted(changes.files.items()):
        new = work.creates[index]
        edits.append(FileEdit(path=new.relative, base_sha="", diff=unified(new.relative, None, text), new_text=text))
        checks = checks.together(check(new, text, None))
        secrets += new_secrets("", text, find, known)
    return tuple(edits), replace(checks, secrets=max(secrets, counted))


def file_edit(base: Snapshot, new_text: str) -> FileEdit | None:
    """None when nothing changes. The diff of a long file takes a while, so call it in a thread."""
    if new_text == base.text:
        return None
    path = base.relative
    return FileEdit(path=path, base_sha=base.sha, diff=unified(path, base.text, new_text), new_text=new_text)


def unified(path: str, old: str | None, new: str) -> str:
    """The unified diff with three lines of context and `a/`, `b/` in front of the path, as `git apply` reads it.

    None: there is no file yet.
    """
    before = "/dev/null" if old is None else f"a/{path}"
    lines = difflib.unified_diff(split_lines(old or ""), split_lines(new), fromfile=before, tofile=f"b/{path}")
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
