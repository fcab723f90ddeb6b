"""Names in a text that is read by lines: a file's may hold line ends, and whatever a model takes for them."""

from __future__ import annotations


def one_line(name: str) -> str:
    """The name with U+FFFD for each character that does not print."""
    return "".join(char if char.isprintable() else "\ufffd" for char in name)
