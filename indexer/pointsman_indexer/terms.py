"""Text as the terms of a lexical search: identifiers whole and in parts, and their BM25 weights.

`parseCookieHeader` gives `parsecookieheader`, `parse`, `cookie`, `header`; so does `parse_cookie_header`, but for the
first. Knows nothing of files or stores.
"""

from __future__ import annotations

import functools
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pointsman_indexer import identifiers

_IDENTIFIER = re.compile(r"\w+")
_LONGEST = 64
"""Longer runs are encoded data, not names."""

_K1 = 1.5
"""BM25's saturation of repeated terms (Robertson & Zaragoza 2009)."""
_PLAIN_LENGTH, _PLAIN_B = 150, 0.75
_FRAME_WORDS = """
a an the and or not no nor of in on at to for from by with without as is are be was were been being am do does did has
have had having can could may might must shall should will would it its itself this that these those there here which
who whom whose what when where why how if then than else so such very just only also any some each every both all other
another same own into onto upon over under between about after before during again once i me my we us our you your they
them their he she
"""
_FRAME = frozenset(_FRAME_WORDS.split())
"""Words that frame a question and say nothing of what is asked for."""


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
    parts = [part.casefold() for part in identifiers.parts(identifier)]
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


@dataclass(frozen=True, slots=True)
class Field:
    """A part of a document: what a term in it is worth, its mean length in terms over code at large, and how much a
    longer one is held against it (BM25F: Robertson, Zaragoza & Taylor 2004).

    Means are fixed, so that a chunk's weights do not depend on the rest of the index.
    """

    weight: float
    mean_length: float
    b: float


_PLAIN = Field(1.0, _PLAIN_LENGTH, _PLAIN_B)


def document_vector(text: str) -> Sparse:
    """Term weights of a text; the store multiplies by each term's inverse document frequency."""
    return fielded_vector([(text, _PLAIN)])


def fielded_vector(fields: Iterable[tuple[str, Field]]) -> Sparse:
    """Term weights of a document of several fields: weighted counts are added before they saturate."""
    weighted: dict[int, float] = {}
    for text, field in fields:
        counts: Counter[int] = Counter()
        for identifier, times in Counter(_IDENTIFIER.findall(text)).items():
            for index in _hashes(identifier):
                counts[index] += times
        worth = field.weight / (1 - field.b + field.b * counts.total() / field.mean_length)
        for index, times in counts.items():
            weighted[index] = weighted.get(index, 0.0) + worth * times
    return _sparse({index: tf * (_K1 + 1) / (tf + _K1) for index, tf in weighted.items()})


@functools.lru_cache(maxsize=262144)
def _hashes(identifier: str) -> tuple[int, ...]:
    """Of the terms of an identifier: it is taken apart once, however often it occurs."""
    return tuple(_hash(term) for term in terms(identifier))


@functools.lru_cache(maxsize=32768)
def content_terms(text: str) -> frozenset[str]:
    """The distinct terms of a text but for the words that frame a question."""
    return frozenset(term for term in terms(text) if term not in _FRAME)


def query_vector(text: str) -> Sparse:
    """A query's terms, each once, without the words that frame a question unless there are no others."""
    return _sparse(dict.fromkeys((_hash(term) for word in telling_words(text) for term in terms(word)), 1.0))


def telling_words(text: str) -> list[str]:
    """The words and identifiers of a query without those that frame a question, unless there are no others."""
    found = _IDENTIFIER.findall(text)
    return [word for word in found if word.lower() not in _FRAME] or found


def _sparse(weights: dict[int, float]) -> Sparse:
    ordered = sorted(weights.items())
    return Sparse(tuple(index for index, _ in ordered), tuple(weight for _, weight in ordered))


@functools.lru_cache(maxsize=65536)
def _hash(term: str) -> int:
    return zlib.crc32(term.encode("utf-8", "surrogatepass"))
