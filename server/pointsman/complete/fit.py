"""Fit a suggestion to what stands right of the cursor on its line: no doubled brackets, quotes or arguments.

The item's range may grow to the right, on the same line, over what the suggestion writes again.
"""

from __future__ import annotations

from dataclasses import dataclass

_PAIRS = {")": "(", "]": "[", "}": "{"}
_QUOTES = "\"'`"


@dataclass(frozen=True, slots=True)
class Fitted:
    """`text` replaces the next `covered` code points right of the cursor."""

    text: str
    covered: int


def fit(text: str, before: str, rest: str) -> Fitted:
    """`before` and `rest` are the line left and right of the cursor, without its line end."""
    if not rest.strip():
        return Fitted(text, len(rest) if "\n" in text else 0)
    covered = _closed_again(text, rest)
    fitted = Fitted(text, covered) if covered else Fitted(_without_overlap(text, rest), 0)
    return _without_surplus(fitted, before, rest)


def _without_surplus(fitted: Fitted, before: str, rest: str) -> Fitted:
    """Cut before a closing bracket that would stand on the line once more than something there opens it."""
    bracket = rest.lstrip()[:1]
    if bracket not in _PAIRS or "\n" in fitted.text:
        return fitted
    most = _surplus(before + rest, bracket)
    text, covered = fitted.text, fitted.covered
    while _surplus(before + text + rest[covered:], bracket) > most and bracket in text:
        text, covered = text[: text.rindex(bracket)], 0
    return Fitted(text, covered)


def _surplus(line: str, bracket: str) -> int:
    """Closing brackets of one kind that nothing on the line opens."""
    depth = count = 0
    for char in line:
        if char == _PAIRS[bracket]:
            depth += 1
        elif char == bracket and depth:
            depth -= 1
        elif char == bracket:
            count += 1
    return count


def _closed_again(text: str, rest: str) -> int:
    """How many characters at the start of `rest` are closed by `text` itself, as auto-pairing editors leave them."""
    closers = _unmatched(text)
    count = 0
    while count < len(rest) and count < len(closers) and rest[count] == closers[count]:
        count += 1
    while count and text.endswith(rest[: count + 1]) and rest[count : count + 1] in (";", ",", ":"):
        count += 1
    return count


def _unmatched(text: str) -> str:
    """Closing brackets and the closing quote in `text` that close what was opened before it, in order."""
    stack: list[str] = []
    found: list[str] = []
    quote = ""
    escaped = False
    odd = {q for q in _QUOTES if text.count(q) % 2}
    for char in text:
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif quote:
            quote = "" if char == quote else quote
        elif char in odd:
            found.append(char)  # the string was opened left of the cursor
            odd.discard(char)
        elif char in _QUOTES:
            quote = char
        elif char in _PAIRS.values():
            stack.append(char)
        elif char in _PAIRS:
            if stack and stack[-1] == _PAIRS[char]:
                stack.pop()
            else:
                found.append(char)
    return "".join(found)


def _without_overlap(text: str, rest: str) -> str:
    """Cut what the end of `text` and the start of `rest` share, or all from where `text` writes `rest` again."""
    wanted = rest.strip()
    if len(wanted) > 1 and (at := text.find(wanted)) >= 0:
        return text[:at]
    start = rest.lstrip()
    for size in range(min(len(text), len(start)), 0, -1):
        if text.endswith(start[:size]) and (size > 1 or not start[0].isalnum()):
            return text[: len(text) - size]
    return text
