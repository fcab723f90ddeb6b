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


@dataclass(slots=True)
class HoldBack:
    """The text of one reply on its way to the user. Raises `GatewayError` when it cannot be scanned."""

    finder: Finder
    redactor: Redactor
    secrets: int = 0
    """Secrets of the model's that were left out."""
    _text: str = field(default="", repr=False)
    _shown: int = 0
    _looked: int = 0

    def feed(self, part: str) -> str:
        """What may be shown now, which may be nothing."""
        self._text += part
        if len(self._text) - self._looked < _STEP:
            return ""
        return self._up_to(len(self._text) - _HELD)

    def reset(self, text: str) -> None:
        """The reply came whole, not in pieces."""
        self._text = text

    def end(self) -> str:
        """The rest."""
        return self._up_to(len(self._text), last=True)

    def _up_to(self, limit: int, *, last: bool = False) -> str:
        self._looked = len(self._text)
        if limit <= self._shown:
            return ""
        start = max(0, self._shown - _BEFORE)
        spans = sorted((left + start, right + start) for left, right in self._findings(self._text[start:]))
        places = [] if last else self.redactor.places(self._text[start:])
        held = [] if last else [*spans, *((left + start, right + start) for left, right in places)]
        while cut := [left for left, right in held if left < limit and (limit < right or right == len(self._text))]:
            limit = min(cut)
        parts, at = [], self._shown
        for left, right in spans:
            if right <= at or left >= limit:
                continue
            parts += [self.redactor.restore(self._text[at : max(at, left)]), MARK]
            self.secrets, at = self.secrets + 1, min(right, limit)
        if limit > at:
            parts.append(self.redactor.restore(self._text[at:limit]))
        self._shown = max(self._shown, limit)
        return "".join(parts)

    def _findings(self, text: str) -> list[tuple[int, int]]:
        """Spans of secrets, merged, without those that are placeholders of this request."""
        return self.redactor.uncovered(text, self.finder.find(text))
