"""Characters that nobody sees: controls, zero-width and bidirectional marks, fillers, selectors, tags. One list for all
who look for them, and for the finder of secrets, which folds them away.

Tabs and line feeds are no such characters. Line ends that only some languages know are: what stands behind one looks
like the rest of a comment and is code. Source of the trouble: Boucher and Anderson, "Trojan Source", 2021.
"""

from __future__ import annotations

import re

UNSEEN: tuple[tuple[int, int], ...] = (
    *((0x00, 0x08), (0x0B, 0x0B), (0x0E, 0x1F), (0x7F, 0x9F)),  # controls, U+0085 among them
    # What Unicode calls default ignorable, whatever its category.
    *((0xAD, 0xAD), (0x34F, 0x34F), (0x61C, 0x61C), (0x115F, 0x1160), (0x17B4, 0x17B5), (0x180B, 0x180F)),
    *((0x200B, 0x200F), (0x2028, 0x202E), (0x2060, 0x206F), (0x3164, 0x3164), (0xFE00, 0xFE0F), (0xFEFF, 0xFEFF)),
    *((0xFFA0, 0xFFA0), (0xFFF0, 0xFFFB), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0000, 0xE0FFF)),
)
"""First and last code points. Carriage returns and form feeds are left to those who use the list."""
_CLASS = "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in UNSEEN)
IN_CODE = re.compile(f"[{_CLASS}]")
"""Carriage returns and form feeds may stand in code."""
IN_TEXT = re.compile(f"[{_CLASS}\x0c\x0d]")


def without_hidden(code: str) -> str:
    return IN_CODE.sub("", code)
