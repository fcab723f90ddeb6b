"""No suggestion writes a secret: neither one that a model remembers from elsewhere nor another file's. Pure.

What stands in the document already may be written again: nothing is brought in by that.
"""

from __future__ import annotations

import re

from pointsman.complete.cursor import Cursor
from pointsman.finding import FindSecrets

_WORTH_A_LOOK = re.compile(r"[\"'`@=:]|\d")
"""Secrets stand in literals, addresses and assignments, or hold a digit."""


def new_secret(text: str, cursor: Cursor, find: FindSecrets) -> str:
    """The rule that finds a secret in `text`, or in what it makes of the line that it goes on; "" for none."""
    if not _WORTH_A_LOOK.search(text):
        return ""
    written = len(cursor.line_before)
    whole = cursor.line_before + text
    for start, end, rule in find(whole):
        if end > written and whole[start:end] not in cursor.before and whole[start:end] not in cursor.after:
            return rule
    return ""
