"""Secrets that a change brings into a file: whoever wrote them, and wherever they came from. Pure, but for the finder.

A closed model sees placeholders, and what it writes into one file turns back into a secret of another; a local model
sees the secrets themselves.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from pointsman.errors import PointsmanError
from pointsman.finding import FindSecrets

_TELLING = 8
"""Characters of a value that is a secret in another file, for it to be known wherever it stands: shorter ones are
words as well."""
_PIECE, _PIECES = 6, 3
"""Shorter values may be pieces of a secret that code joins, and stand in any text: where so many more are found than
there were, one was joined."""


def secrets_in(texts: Iterable[str], find: FindSecrets | None) -> frozenset[str]:
    """Values that look like secrets where they stand, and are long enough to be known by themselves elsewhere."""
    if find is None:
        return frozenset()
    return frozenset(value for text in texts for value in _values(text, find) or () if len(value) >= _TELLING)


def new_secrets(base: str, new: str, find: FindSecrets | None, known: frozenset[str]) -> int:
    """How many values of `new` look like secrets, or are one of the `known`, and do not stand in `base`.

    A text that cannot be looked through to its end counts as one.
    """
    if find is None or base == new:
        return 0
    found = _values(new, find)
    if found is None:
        return 1
    brought = {value for value in {*found, *known} if value in new and value not in base}
    pieces = _short(found) - _short(_values(base, find) or []) if _short(found).total() >= _PIECES else Counter[str]()
    # What holds another is the same secret: a value, and the address around it.
    whole = sum(not any(one != value and value in one for one in brought) for value in brought)
    return whole or int(pieces.total() >= _PIECES)


def _short(found: Sequence[str]) -> Counter[str]:
    return Counter(value for value in found if len(value) < _PIECE)


def _values(text: str, find: FindSecrets) -> list[str] | None:
    valid = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate becomes one question mark
    try:
        return [text[start:end] for start, end, _ in find(valid) if end > start]
    except PointsmanError:
        return None
