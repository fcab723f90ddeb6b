"""What a rule is, and the tests that a match must pass. The tables are `formats`, `credentials` and `personal`.

RE2 only, so that no text can make a scan slow.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import re2


def always(value: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """Group 1 of `pattern`, or the whole match when there is none, is what gets redacted if `accept` agrees."""

    name: str
    pattern: Any
    accept: Callable[[str], bool] = always
    keywords: tuple[str, ...] = ()
    """Lower-case words, one of which occurs in every match, in any case; () when there is no such word."""
    shaped: bool = False
    """Known by its own shape, whatever stands around it."""


def compiled(pattern: str) -> Any:
    """A pattern under RE2, silent about what it cannot read. Raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def entropy(value: str) -> float:
    """Shannon entropy in bits a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


_VARIABLE = compiled(
    r"\{+[^{}]*\}+|\$\{?[A-Za-z_][\w.]*\}?|\$\([^()]*\)|\$\{\{[^{}]*\}\}|<[^<>]*>|\[[^\[\]]*\]|%\(\w+\)s|%[sdr]|%\w+%"
    r"|[*xX.#_-]+|(?i:your|my|the|some|an?|example|sample|dummy|test|fake)[ _-].*|(?i:none|null|nil|true|false|undefined)"  # noqa: E501
)
_WORDS = compiled(r"[A-Za-z]?[a-z]+|[A-Z]+|(?:[A-Za-z]?[a-z]+|[A-Z]+)(?:[ _./:-]+[A-Za-z]?[a-z]*)+[:?!.]?|[A-Za-z]+: ?")
_PATH = compiled(r"(?:[a-z]+://|\.{0,2}/|[A-Z]:\\).*|\w+(?:\.\w+)+\(?.*\)?|[\w.]+\(.*")


def literal(value: str) -> bool:
    """Not a place for a value, such as `{password}`, `$TOKEN` or `<secret>`."""
    return _VARIABLE.fullmatch(value) is None


def password(value: str) -> bool:
    """What a person would take for a password: no variable, name, path, call or sentence; a single word only when it
    is long."""
    if not literal(value) or value.count(" ") > 3:
        return False
    if _WORDS.fullmatch(value) is not None:
        return value.isalpha() and len(value) >= 16
    return _PATH.fullmatch(value) is None or any(c in "!@#$%^&*" for c in value)


def random(value: str) -> bool:
    """Like a generated value: digits among letters, and no repetition."""
    return (
        literal(value) and any(c.isdigit() for c in value) and any(c.isalpha() for c in value) and entropy(value) >= 3.0
    )


def very_random(value: str) -> bool:
    """As `random`, and long or mixed enough to be no version, date or name with a number."""
    return random(value) and entropy(value) >= 3.3 and sum(c.isdigit() for c in value) >= 2
