"""Requests that deserve no model: excluded, unreadable or pointless ones, each with its reason in words.

Looks at the document and the cursor only.
"""

from __future__ import annotations

from pointsman.complete.cursor import Cursor
from pointsman.complete.types import CompletionQuery
from pointsman.exclusion import ExclusionsOf, why_excluded

MAX_CHARS = 1_000_000
MAX_LINE_CHARS = 2_000


def exclusion(query: CompletionQuery, exclusions: ExclusionsOf) -> str | None:
    """Reads the file system, so call it in a thread."""
    reason = why_excluded(query.snapshot, exclusions)
    return f"the file is excluded: {reason}" if reason else None


def too_large(text: str) -> str | None:
    if len(text) > MAX_CHARS:
        return f"the document is too large: {len(text)} characters, the limit is {MAX_CHARS}"
    return None


def pointless(cursor: Cursor) -> str | None:
    """Why the model would only guess here, or None."""
    if "\0" in cursor.before or "\0" in cursor.after:
        return "the document is binary: it holds a NUL character"
    if not cursor.before.strip() and not cursor.after.strip():
        return "the document is blank"
    if cursor.after and is_word(cursor.after[0]):
        return "the cursor is inside a word"
    if not cursor.line_before.strip() and cursor.line_after[:1].isspace() and cursor.line_after.strip():
        return "the cursor is inside the line's indentation"
    if len(cursor.line_before) + len(cursor.line_after) > MAX_LINE_CHARS:
        return f"the line is longer than {MAX_LINE_CHARS} characters"
    return None


def is_word(char: str) -> bool:
    """True for what identifiers are made of in any language."""
    return char == "_" or char.isalnum()
