"""One gitignore pattern as an RE2 expression, as git reads it (its wildmatch.c), and the forms that text is matched in.

RE2, so that no pattern of a repository makes matching slow.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import re2

_CLASSES = {
    "alnum": "09AZaz", "alpha": "AZaz", "blank": "\t\t  ", "cntrl": "\x01\x1f\x7f\x7f", "digit": "09", "graph": "!~",
    "lower": "az", "print": " ~", "punct": "!/:@[`{~", "space": "\t\r  ", "upper": "AZ", "xdigit": "09AFaf",
}  # fmt: skip
"""POSIX classes: the first and the last character of each range."""


def compose(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def fold(text: str) -> str:
    return text.lower() if text.isascii() else compose(compose(text).casefold())


def translate(line: str, form: Callable[[str], str]) -> tuple[bool, bool, str] | None:
    """Whether a line excludes, whether only from the root on, and the expression that a path must match as a whole; a
    folder's ends with a NUL. None for a line that says nothing. Raises `ValueError`."""
    text = line.rstrip(" " if line.startswith("!") else None)
    if len(text) < len(line) and (len(text) - len(text.rstrip("\\"))) % 2:
        text = line[: len(text) + 1]  # an escaped space belongs to the name
    if not text or text.startswith("#"):
        return None
    excludes, text = not text.startswith("!"), compose(text.removeprefix("!"))
    if not text or "\0" in text:
        raise ValueError
    pattern = text.removesuffix("/")
    if not pattern:
        return None
    folder = r"\x00" if text.endswith("/") else r"\x00?"
    glob = _Glob(pattern, form)
    return excludes, glob.anchored, glob.regex + folder


class _Glob:
    """A glob as git reads it (its wildmatch.c), as an RE2 expression. Raises `ValueError`."""

    def __init__(self, pattern: str, form: Callable[[str], str]) -> None:
        self._pattern, self._form = pattern.removeprefix("/"), form
        self.anchored = "/" in pattern
        self._at = 0
        regex = literal = ""
        while self._at < len(self._pattern):
            char = self._next()
            if char in "*?[":
                regex += re2.escape(form(literal)) + self._special(char)
                literal = ""
            else:
                literal += self._next() if char == "\\" else char
        self.regex = regex + re2.escape(form(literal))

    def _next(self) -> str:
        if self._at == len(self._pattern):
            raise ValueError
        self._at += 1
        return self._pattern[self._at - 1]

    def _sees(self, *texts: str) -> bool:
        return self._pattern.startswith(texts, self._at)

    def _special(self, char: str) -> str:
        if char == "?":
            return r"[^/\x00]"
        if char == "[":
            return self._bracket()
        before = self._pattern[: self._at - 1]
        stars = 1
        while self._sees("*"):
            self._at += 1
            stars += 1
        # Git compares what is plain text at the start by itself, so `**` after that is as good as after a `/`.
        if stars > 1 and (before.endswith("/") or not before or (self.anchored and not set(before) & set("*?[\\"))):
            if self._sees("/"):
                self._at += 1
                return "(?:.*/)?"
            if self._at == len(self._pattern) or self._sees("\\/"):
                return ".*"
        return r"[^/\x00]*"

    def _bracket(self) -> str:
        """The rest of a bracket expression; none fits a `/`."""
        negated = self._sees("!", "^")
        self._at += negated
        ranges: list[tuple[str, str]] = []
        before = ""
        char = self._next()
        while True:
            if char == "[" and (name := self._class()) is not None:
                if name not in _CLASSES:
                    raise ValueError
                ranges += zip(_CLASSES[name][::2], _CLASSES[name][1::2], strict=True)
                before = ""
            elif char == "-" and before and not self._sees("]"):
                last = self._next()
                ranges.append((before, self._next() if last == "\\" else last))
                before = ""
            else:
                before = self._next() if char == "\\" else char
                ranges.append((before, before))
            char = self._next()
            if char == "]":
                break
        if any(first > last for first, last in ranges):
            raise ValueError  # it fits nothing: surely not what was meant
        # Folding the ends of a range would make another range of it: the expression disregards case instead.
        case = "?i" if self._form is fold else "?"
        spans = "".join(_span(ord(first), ord(last), negated=negated) for first, last in ranges)
        if negated:
            return rf"({case}:[^/\x00{spans}])"
        return f"({case}:[{spans}])" if spans else r"[^\x00-\x{10FFFF}]"  # of `/` alone: fits nothing

    def _class(self) -> str | None:
        """The name in a class such as `[:digit:]`, after its first bracket; None when this is none."""
        name, end, _ = self._pattern[self._at + 1 :].partition("]")
        if not self._sees(":") or not end or not name.endswith(":"):
            return None
        self._at += len(name) + 2
        return name[:-1]


def _span(low: int, high: int, *, negated: bool) -> str:
    """A range as RE2 writes it, without the `/` when it is of characters that fit."""
    parts = [(low, high)] if negated or not low <= 0x2F <= high else [(low, 0x2E), (0x30, high)]
    return "".join(rf"\x{{{low:x}}}-\x{{{high:x}}}" for low, high in parts if low <= high)
