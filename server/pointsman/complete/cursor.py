"""Where a completion goes in: the text on both sides of the cursor, as if the menu's entry were already there."""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.complete.types import CompletionQuery


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """`before` and `after` hold only \\n as line end; `start`, `end` are code points of the snapshot's own text."""

    before: str
    after: str
    start: int
    end: int
    lead: str
    """What an item must begin with: the picked entry of the completion menu, or ""."""
    newline: str
    """The document's own line end."""

    @property
    def line_before(self) -> str:
        return self.before[self.before.rfind("\n") + 1 :]

    @property
    def line_after(self) -> str:
        end = self.after.find("\n")
        return self.after if end < 0 else self.after[:end]

    @property
    def next_line(self) -> str:
        """The first line below the cursor's that is not blank; "" when there is none within reach."""
        below = self.after[len(self.line_after) : len(self.line_after) + 4000]
        return next((line for line in below.split("\n") if line.strip()), "")

    @property
    def previous_line(self) -> str:
        """The last line above the cursor's that is not blank; "" when there is none within reach."""
        above = self.before[: len(self.before) - len(self.line_before)][-4000:]
        return next((line for line in reversed(above.split("\n")) if line.strip()), "")


def cursor_of(query: CompletionQuery) -> Cursor:
    """The cursor of a query. A menu entry whose range does not fit the text is left aside."""
    text = query.snapshot.text
    start = end = min(max(query.offset, 0), len(text))
    lead = ""
    picked = query.selected
    if picked is not None and 0 <= picked.start <= start <= picked.end <= len(text):
        replaced = text[picked.start : picked.end]
        if "\n" not in replaced and "\r" not in replaced:
            start, end, lead = picked.start, picked.end, picked.text
    before, after = text[:start], text[end:]
    return Cursor(
        before=_unix(before) + _unix(lead),
        after=_unix(after),
        start=start,
        end=end,
        lead=lead,
        newline="\r\n" if "\r\n" in text else "\n",
    )


def _unix(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
