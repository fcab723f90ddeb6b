"""A streamed reply, held back far enough that no piece of a secret is shown before the whole of it is known.

Secrets that the model wrote are left out; this request's placeholders turn back. What is held is the newest
characters, and anything that a finding or a placeholder at their edge still belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from pointsman.gateway.finder import Finder
from pointsman.gateway.redact import Redactor

MARK = "[a secret was left out]"
_HELD = 1024
"""Characters: more than any rule needs to recognise a secret, escapes and encodings included."""
_BEFORE = 2048
"""Characters already shown that are looked at again: the name that gives a value away stands before it."""
_STEP = 256
"""New characters that make another look worth its time."""
_SHARE = 4
"""Where more is held, as of a key that has no end, a look costs more: so it waits for a part of what is held, and all
looks together cost a few times what one at the whole reply does."""


@dataclass(slots=True)
class HoldBack:
    """The text of one reply on its way to the user. Raises `GatewayError` when it cannot be scanned."""

    finder: Finder
    redactor: Redactor
    secrets: int = 0
    """Secrets of the model's that were left out."""
    _text: str = field(default="", repr=False)
    """From `_BEFORE` characters before what is held."""
    _shown: int = 0
    """Characters of `_text` that are shown."""
    _new: list[str] = field(default_factory=list, repr=False)
    """What came since the last look, and its length."""
    _grown: int = 0

    def feed(self, part: str) -> str:
        """What may be shown now, which may be nothing."""
        self._new.append(part)
        self._grown += len(part)
        if self._grown < max(_STEP, (len(self._text) - self._shown) // _SHARE):
            return ""
        self._take()
        return self._up_to(len(self._text) - _HELD)

    def reset(self, text: str) -> None:
        """The reply came whole, not in pieces."""
        self._take()
        self._text = text

    def end(self) -> str:
        """The rest."""
        self._take()
        return self._up_to(len(self._text), last=True)

    def _take(self) -> None:
        self._text += "".join(self._new)
        self._new, self._grown = [], 0

    def _up_to(self, limit: int, *, last: bool = False) -> str:
        if limit <= self._shown:
            return ""
        text = self._text
        spans = sorted(self._findings(text))
        held = [] if last else [*spans, *self.redactor.places(text)]
        while cut := [left for left, right in held if left < limit and (limit < right or right == len(text))]:
            limit = min(cut)
        parts, at = [], self._shown
        for left, right in spans:
            if right <= at or left >= limit:
                continue
            parts += [self.redactor.restore(text[at : max(at, left)]), MARK]
            self.secrets, at = self.secrets + 1, min(right, limit)
        if limit > at:
            parts.append(self.redactor.restore(text[at:limit]))
        self._shown = max(self._shown, limit)
        past = max(0, self._shown - _BEFORE)
        self._text, self._shown = text[past:], self._shown - past
        return "".join(parts)

    def _findings(self, text: str) -> list[tuple[int, int]]:
        """Spans of secrets, merged, without those that are placeholders of this request."""
        return self.redactor.uncovered(text, self.finder.find(text))
