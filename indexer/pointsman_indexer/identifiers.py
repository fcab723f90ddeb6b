"""The words that an identifier is made of, by case, underscores and digits."""

from __future__ import annotations

import re

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")


def parts(text: str) -> list[str]:
    """`parse_cookieHeader2` gives `parse`, `cookie`, `Header` and `2`."""
    return _PART.findall(text)


def words(text: str) -> str:
    """`parseCookieHeader` and `parse_cookie_header` as `parse cookie header`; other text stays but for its case."""
    return " ".join(parts(text)).lower()
