"""Secrets and personal data out of a text, for placeholders that turn back into them here and nowhere else.

A placeholder is a plain identifier, so that code stays parseable, and carries a part that only this machine can
compute, so that one forged by a repository or a model is left as it is. What counts as a secret is `finder`.
"""

from __future__ import annotations

import bisect
import hashlib
import hmac
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import re2

from pointsman.errors import GatewayError
from pointsman.gateway.finder import Finder, Finding
from pointsman.gateway.rules import compiled, entropy

_PASSES = 4
"""Replacing one secret can bare another; text that is not clean after so many passes is not sent."""
_MOST_VALUES = 2000
"""Different secrets in one request: a text with more is no code, and would take minutes."""
_ESCAPE = compiled(r"\\(?:u[0-9a-fA-F]{4}|.)")
"""An escape of JSON: its letter is no part of the text, and must neither hide a secret nor look like one."""


_AROUND_VALUES = " \t\"'`()[]{},;+\\"
"""What may stand around a piece of a value and is none of it."""


@dataclass(slots=True)
class Redactor:
    """The redactions of one request. The same secret always gets the same placeholder."""

    finder: Finder
    nonce: str
    _by_value: dict[str, str] = field(default_factory=dict, repr=False)
    _by_placeholder: dict[str, str] = field(default_factory=dict, repr=False)
    _rules: dict[str, str] = field(default_factory=dict)

    @property
    def _placeholders(self) -> str:
        return rf"POINTSMAN_SECRET_[0-9]+_{self.nonce}"

    @property
    def count(self) -> int:
        """Different values that were replaced."""
        return len(self._by_placeholder)

    @property
    def rules(self) -> tuple[str, ...]:
        """Names of the rules that found them."""
        return tuple(sorted(set(self._rules.values())))

    def marks(self, text: str) -> tuple[tuple[str, str, int], ...]:
        """(placeholder, rule, how often it stands in `text`) of each value that was replaced."""
        return tuple((name, rule, text.count(name)) for name, rule in self._rules.items())

    def redact(self, texts: Sequence[str]) -> list[str]:
        """The texts without secrets; what was found in one is replaced in all.

        Raises `GatewayError` when they cannot be made clean, are not valid Unicode or hold this request's nonce.
        """
        if not all(map(_valid, texts)):
            raise GatewayError("the text is not valid Unicode, so nothing is sent")
        if any(self.nonce in text for text in texts):
            raise GatewayError("the text holds a placeholder of this very request, so nothing is sent")
        cleaned = [self._clean(text) for text in texts]
        known = sorted(filter(_distinctive, self._by_value), key=len, reverse=True)
        return [
            self._clean(without) if without != text else text
            for text in cleaned
            for without in (self._without(text, known),)
        ]

    def learn(self, text: str, shown: Sequence[str]) -> None:
        """What is secret in a text that `shown` holds parts of: those of its pieces that stand there are replaced when
        they are redacted, though the parts alone may not give them away. Raises `GatewayError` as `redact`."""
        if not _valid(text):
            raise GatewayError("the text is not valid Unicode, so nothing is sent")
        for start, end, rule in self._open(text):
            for piece in text[start:end].splitlines():
                value = piece.strip(_AROUND_VALUES)
                if _distinctive(value) and any(value in one for one in shown):
                    self._placeholder(value, rule)

    def check(self, body: bytes) -> None:
        """Look at the serialised body again, as it stands and string by string.

        Raises `GatewayError` when it finds anything, or a value that was replaced.
        """
        text = body.decode("utf-8")
        strings = list(_strings(json.loads(text)))
        # The body's own quotes and escapes would mislead the other views: they are for its strings.
        bare = _ESCAPE.sub("\n", text)
        if self._merged(bare, self.finder.find(bare, disguised=False)) or any(map(self._open, strings)):
            raise GatewayError("secrets remain in the outgoing body, so nothing is sent")
        rest = "\n".join(re2.sub(self._placeholders, "\n", string) for string in strings)
        if any(value in rest for value in self._by_value if _distinctive(value)):
            raise GatewayError("a redacted value remains in the outgoing body, so nothing is sent")

    def _clean(self, text: str) -> str:
        for _ in range(_PASSES):
            spans = self._open(text)
            if not spans:
                return text
            text = self._replace(text, spans)
        raise GatewayError("secrets remain after redaction, so nothing is sent")

    def restore(self, text: str) -> str:
        """Turn this request's placeholders back; anything else that looks like one stays."""
        for placeholder, value in self._by_placeholder.items():
            text = text.replace(placeholder, value)
        return text

    def _open(self, text: str) -> list[tuple[int, int, str]]:
        """Spans of secrets that are still to be replaced, with the rule that found each."""
        return self._merged(text, self.finder.find(text))

    def places(self, text: str) -> list[tuple[int, int]]:
        """Spans of what looks like this request's placeholders."""
        return [match.span() for match in re2.finditer(self._placeholders, text)]

    def uncovered(self, text: str, findings: Sequence[Finding]) -> list[tuple[int, int]]:
        """Findings in code points, merged where they overlap; those that are placeholders already are left out, and
        those that cut into one take it in whole."""
        return [(start, end) for start, end, _ in self._merged(text, findings)]

    def _merged(self, text: str, findings: Sequence[Finding]) -> list[tuple[int, int, str]]:
        mine = self.places(text)  # In order, and none overlaps another.
        starts, ends = [left for left, _ in mine], [right for _, right in mine]
        merged: list[tuple[int, int, str]] = []
        for start, end, rule in sorted(findings):
            touched = mine[bisect.bisect_right(ends, start) : bisect.bisect_left(starts, end)]
            if _covered(start, end, touched):
                continue
            start, end = min([start, *(left for left, _ in touched)]), max([end, *(right for _, right in touched)])
            if merged and start < merged[-1][1]:
                merged[-1] = (min(start, merged[-1][0]), max(end, merged[-1][1]), merged[-1][2])
            else:
                merged.append((start, end, rule))
        return merged

    def _replace(self, text: str, spans: Sequence[tuple[int, int, str]]) -> str:
        parts, at = [], 0
        for start, end, rule in spans:
            parts += [text[at:start], self._placeholder(self.restore(text[start:end]), rule)]
            at = end
        return "".join((*parts, text[at:]))

    def _without(self, text: str, values: Sequence[str]) -> str:
        for value in values:
            text = self._substitute(text, value)
        return text

    def _substitute(self, text: str, value: str) -> str:
        """Every `value` that stands outside placeholders for its own."""
        parts, at = [], 0
        for match in re2.finditer(self._placeholders, text):
            parts += [text[at : match.start()].replace(value, self._by_value[value]), match.group()]
            at = match.end()
        return "".join((*parts, text[at:].replace(value, self._by_value[value])))

    def _placeholder(self, value: str, rule: str) -> str:
        known = self._by_value.get(value)
        if known is None:
            if len(self._by_value) >= _MOST_VALUES:
                raise GatewayError(f"the text holds more than {_MOST_VALUES} secrets, so nothing is sent")
            known = f"POINTSMAN_SECRET_{len(self._by_value) + 1}_{self.nonce}"
            self._by_value[value] = known
            self._by_placeholder[known] = value
            self._rules[known] = rule
        return known


def nonce(host_secret: bytes, content: bytes) -> str:
    """The unforgeable part of a request's placeholders: the same for the same request, unknowable outside."""
    return hmac.new(host_secret, content, hashlib.sha256).hexdigest()[:16]


def _covered(start: int, end: int, placeholders: Iterable[tuple[int, int]]) -> bool:
    """Whether at most a few characters of the span lie outside placeholders: too few to be a secret of its own."""
    outside = end - start
    for left, right in placeholders:
        outside -= max(0, min(end, right) - max(start, left))
    return outside < 4 and outside < end - start


def _valid(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _distinctive(value: str) -> bool:
    """Whether the value, wherever it stands, is hardly anything but the secret: not a word such as `password`."""
    return len(value) >= 8 and any(c.isdigit() for c in value) and entropy(value) >= 2.5


def _strings(value: object) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
