"""A model's text on its way to a person: nothing in it runs, fetches, or leads out of the repository.

Whoever plants an instruction in a repository wants the answer to carry data away: by a picture that the editor fetches,
by a link that someone clicks, by markup, or by a terminal's escape sequences (security notes on chat panels call the
first one a markdown image leak). So pictures become their descriptions, links that leave the repository become their
text, bare addresses and HTML become code, which no renderer turns into anything. Code stays as it is, and what code is
must be plain to every renderer: a mark of it that has no partner in its line is taken out, and so is what escapes one.
"""

from __future__ import annotations

import re

from pointsman.chat.markdown import printable, prose

_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_OPEN = re.compile(r"[\[\]<`!:&\\]|//|www")


def harmless(text: str) -> str:
    """Markdown that only shows something. Applying it again changes nothing."""
    lines, fence = [], ""
    for line in printable(text).split("\n"):
        fence, shown = _shown(line, fence)
        lines.append(shown)
    return "\n".join(lines)


class Streamed:
    """An answer that comes in pieces: `feed` gives what may be shown so far, whole constructs only."""

    def __init__(self) -> None:
        self._line: list[str] = []
        self._out = 0
        """Characters of the line that are shown already."""
        self._words: list[str] = []
        """What is behind them, as long as nothing began in the line."""
        self._begun = False
        self._fence = ""

    def feed(self, piece: str) -> str:
        out = []
        first, *more = piece.split("\n")
        self._line.append(first)
        for part in more:
            out.append(self.end() + "\n")
            first = part
            self._line.append(first)
        return "".join((*out, self._plain(first)))

    def end(self) -> str:
        """What was still held back of the line."""
        self._fence, shown = _shown("".join(self._line), self._fence)
        rest = shown[self._out :]
        self._line, self._out, self._words, self._begun = [], 0, [], False
        return rest

    def _plain(self, piece: str) -> str:
        """Plain words go out as they come; where something begins, the rest of the line waits for its end."""
        if self._fence or self._begun:
            return ""
        before = "".join(self._words[-2:])[-2:]  # what begins may have begun in the pieces before
        if begun := _OPEN.search(before + piece):
            self._begun, piece = True, piece[: max(0, begun.start() - len(before))]
        words, space, rest = piece.rpartition(" ")
        if not space:
            self._words += [piece] * bool(piece)  # none is empty, so the last two hold two characters
            return ""
        words = "".join((*self._words, words))
        self._words = [space + rest]
        if not words.isprintable():
            self._begun = True
            return ""
        self._out += len(words)
        return words


def _shown(line: str, fence: str) -> tuple[str, str]:
    """(the fence that is open behind the line, what is shown of the line). What cannot be seen goes first: a renderer
    never gets it, so it must not decide where code ends."""
    line = printable(line)
    fence, inside = _fenced(line, fence)
    return fence, line if inside else prose(line)


def _fenced(line: str, fence: str) -> tuple[str, bool]:
    """(the fence that is open behind the line, whether the line is code or a fence itself)."""
    mark = _FENCE.match(line)
    if not fence:
        # An indented one may belong to a list's item, and ends with it wherever that ends: it opens nothing here.
        return (mark[1], True) if mark and line[0] != " " else ("", False)
    closes = mark and mark[1].startswith(fence) and not line.strip().strip(fence[0])
    return ("", True) if closes else (fence, True)
