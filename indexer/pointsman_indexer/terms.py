"""Text as the terms of a lexical search: identifiers whole and in parts, and their BM25 weights.

`parseCookieHeader` gives `parsecookieheader`, `parse`, `cookie`, `header`; so does `parse_cookie_header`, but for the
first. Knows nothing of files or stores.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

_IDENTIFIER = re.compile(r"\w+")
_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\dA-Za-z_]+")
_LONGEST = 64
"""Longer runs are encoded data, not names."""

_K1, _B, _MEAN_LENGTH = 1.2, 0.75, 150
"""BM25 (Robertson & Zaragoza 2009) with the usual constants. The mean length is fixed, so that a chunk's weights do
not depend on the rest of the index."""


@dataclass(frozen=True, slots=True)
class Sparse:
    """A sparse vector: distinct 32-bit term hashes, ascending, and their weights."""

    indices: tuple[int, ...]
    values: tuple[float, ...]


def terms(text: str) -> Iterator[str]:
    """The terms of `text`, in order and with repetition."""
    for match in _IDENTIFIER.finditer(text):
        if match.end() - match.start() <= _LONGEST:
            yield from _split(match.group())


@functools.lru_cache(maxsize=65536)
def _split(identifier: str) -> tuple[str, ...]:
    whole = identifier.casefold()
    parts = [part.group().casefold() for part in _PART.finditer(identifier)]
    if len(parts) == 1 and parts[0] == whole:
        return (_stem(whole),)
    return (whole, *(_stem(part) for part in parts if len(part) > 1))


def _stem(word: str) -> str:
    """Singular and plural alike, after Harman's S stemmer (1991): a question's `cookies` finds `parse_cookie`."""
    if len(word) < 4:
        return word
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and word[-2] not in "us":
        return word[:-1]
    if word.endswith("y") and word[-2] not in "aeou":
        return word[:-1] + "ie"
    return word


def document_vector(text: str) -> Sparse:
    """Term weights of a chunk; the store multiplies by each term's inverse document frequency."""
    counts = Counter(_hash(term) for term in terms(text))
    saturation = _K1 * (1 - _B + _B * counts.total() / _MEAN_LENGTH)
    return _sparse({index: tf * (_K1 + 1) / (tf + saturation) for index, tf in counts.items()})


def query_vector(text: str) -> Sparse:
    return _sparse(dict.fromkeys((_hash(term) for term in terms(text)), 1.0))


def _sparse(weights: dict[int, float]) -> Sparse:
    ordered = sorted(weights.items())
    return Sparse(tuple(index for index, _ in ordered), tuple(weight for _, weight in ordered))


@functools.lru_cache(maxsize=65536)
def _hash(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))
