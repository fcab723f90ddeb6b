"""Questions whose answer is known, taken from names: a definition's own, and those of the tests that call it.

Pure functions of bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from pointsman_indexer.doctext import words_of
from pointsman_indexer.pairs import KINDS, Asked, documented, is_test, place_of
from pointsman_indexer.parse import parse

_MOST_TARGETS, _SHORTEST_TEST_NAME = 4, 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Tested:
    """What a test says that it checks, and the definitions that it calls."""

    path: str
    symbol: str
    query: str
    targets: tuple[tuple[str, str], ...]
    """(path, qualified name) of each; the name is no other definition's."""


def identifier_queries(path: str, data: bytes, language: str) -> list[Asked]:
    """Definitions with names of three words or more, or of two and a class, which then ask; none in tests."""
    if is_test(path):
        return []
    found = []
    for symbol in parse(data, language).symbols:
        outer, _, name = symbol.qualified.rpartition(".")
        words = words_of(name)
        if symbol.kind == "method" and len(words) == 2 and outer:
            words += ["of", *words_of(outer.rpartition(".")[2])]
        if symbol.kind in KINDS and len(words) >= 3 and not name.startswith("__") and not is_test("", symbol.qualified):
            found.append(Asked(**place_of(path, language, symbol), query=" ".join(words)))
    return found


def tests_of(files: Mapping[str, tuple[bytes, str]]) -> list[Tested]:
    """The tests of a repository and what they call. `files` maps paths to bytes and language.

    A call counts when one definition only, outside of tests, has its name; more than a few make a test of everything.
    """
    parsed = {path: parse(data, language) for path, (data, language) in files.items()}
    owners: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for path, one in parsed.items():
        for symbol in one.symbols if not is_test(path) else ():
            if symbol.kind in KINDS and not is_test("", symbol.qualified):
                owners[symbol.name].append((path, symbol.qualified))
    found = []
    for path, one in parsed.items():
        if not is_test(path):
            continue
        data, language = files[path]
        docs = {doc.symbol: doc.query for doc in documented(path, data, language, tests=True)}
        calls: dict[str, set[str]] = defaultdict(set)
        for uses in one.references:
            for use in uses.each():
                if use.kind == "call":
                    calls[use.inside].add(uses.name)
        for symbol in one.symbols:
            words = [word for word in words_of(symbol.name) if word not in ("test", "tests")]
            query = docs.get(symbol.qualified) or (" ".join(words) if len(words) >= _SHORTEST_TEST_NAME else "")
            names = sorted(name for name in calls[symbol.qualified] if len(owners.get(name, ())) == 1)
            if symbol.name.lower().startswith("test") and query and 0 < len(names) <= _MOST_TARGETS:
                targets = tuple(owners[name][0] for name in names)
                found.append(Tested(path=path, symbol=symbol.qualified, query=query, targets=targets))
    return found
