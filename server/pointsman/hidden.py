"""Characters that nobody sees: controls, zero-width and bidirectional marks, tags. One list for all who look for them.

Tabs and line feeds are no such characters. Source of the trouble: Boucher and Anderson, "Trojan Source", 2021.
"""

from __future__ import annotations

import re

_UNSEEN = (
    "\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f"
)
IN_CODE = re.compile(f"[{_UNSEEN}]")
"""Carriage returns and form feeds may stand in code."""
IN_TEXT = re.compile(f"[{_UNSEEN}\x0b-\x0d]")


def without_hidden(code: str) -> str:
    return IN_CODE.sub("", code)
