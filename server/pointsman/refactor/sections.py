"""A closed model's answer as the parts, definitions and new files that it says it is of. Pure; numbers, no paths."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Target = tuple[Literal["part", "new"], int]
_HEADER = re.compile(r"^[\s#*`>_-]*(PART|NEW FILE|SYMBOL)[\s*:`#]+([\w.$:<>~-]+?)[\s*`:.)]*$")
_FENCE = re.compile(r"^\s*(`{3,}|~{3,})")
_BLOCK_BEGINS, _BLOCK_ENDS = re.compile(r"^\s*<{5,9} ?SEARCH\s*$"), re.compile(r"^\s*>{5,9} ?REPLACE\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    target: Target | None
    """None: before any header, where there are several parts."""
    symbol: str
    """Name of the definition; "" for the part or the file as a whole."""
    body: str


def sections_of(answer: str, *, only: bool) -> list[Section]:
    """The sections that say something, in order. `only`: there is one part, so that what has no header is of it.

    A header inside a fenced block or a search/replace block is code. The answer's line ends are \\n.
    """
    target: Target | None = ("part", 1) if only else None
    symbol = ""
    found: list[Section] = []
    lines: list[str] = []
    fence, block = "", False

    def close() -> None:
        body = "\n".join(lines)
        if body.strip():
            found.append(Section(target=target, symbol=symbol, body=body))
        lines.clear()

    for line in answer.split("\n"):
        header = None if fence or block else _HEADER.match(line)
        if header:
            close()
            if header[1] == "SYMBOL":
                symbol = header[2]
            else:
                number = int(header[2]) if header[2].isdecimal() and len(header[2]) < 4 else 0
                target, symbol = ("part" if header[1] == "PART" else "new", number), ""
            continue
        lines.append(line)
        mark = _FENCE.match(line)
        if block:
            block = not _BLOCK_ENDS.match(line)
        elif fence:
            fence = "" if line.strip() == fence else fence
        elif mark:
            fence = mark[1]
        elif _BLOCK_BEGINS.match(line):
            block = True
    close()
    return found
