"""The symbols of some files as a short text under a token budget: what a model sees of a file besides its chunks.

Knows nothing of where symbols come from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pointsman_indexer.oneline import one_line
from pointsman_indexer.symbols import CONTAINERS, Symbol
from pointsman_indexer.terms import terms

_CHARACTERS_PER_TOKEN = 3.5
"""Of code, by common byte-pair vocabularies; on the safe side."""
_LEAST = 8
"""Characters that no line fits into."""
_SPARE = 0.01
"""Share of a budget that may stay empty: about a line of a usual one, and looking for what fits into it reads on
through a whole repository."""
_PLAIN = frozenset({"variable", "constant", "key", "property"})


def outline(files: Mapping[str, Sequence[Symbol]], budget: int, query: str = "") -> str:
    """Signatures of the most telling symbols within `budget` tokens, in the order of the files, with line numbers.

    Symbols that share terms with `query` come first, then outer before inner, types before functions before values.
    A symbol is shown below its path; its enclosing symbols are not implied, so its qualified name is given.
    """
    wanted = set(terms(query))
    ranked = sorted(
        ((path, symbol) for path, symbols in files.items() for symbol in symbols),
        key=lambda pair: _rank(pair[1], wanted),
    )
    chosen = dict(fill(ranked, budget))
    return text((path, chosen[path]) for path in files if path in chosen)


def fill(ranked: Iterable[tuple[str, Symbol]], budget: int) -> list[tuple[str, list[Symbol]]]:
    """Of symbols with their paths, best first, those that fit into `budget` tokens, by file in that order."""
    left = budget * _CHARACTERS_PER_TOKEN
    least = max(_LEAST, _SPARE * left)
    chosen: dict[str, list[Symbol]] = {}
    for path, symbol in ranked:
        cost = len(_line(symbol)) + 1 + (0 if path in chosen else len(path) + 2)
        if cost <= left:
            left -= cost
            chosen.setdefault(path, []).append(symbol)
        if left < least:
            break
    return list(chosen.items())


def text(files: Iterable[tuple[str, Sequence[Symbol]]]) -> str:
    """Files with their symbols as what a model reads."""
    return "".join(_file(path, symbols) for path, symbols in files)


def _rank(symbol: Symbol, wanted: set[str]) -> tuple[int, int, int]:
    shared = len(wanted.intersection(terms(symbol.qualified))) if wanted else 0
    tier = 0 if symbol.kind in CONTAINERS else 2 if symbol.kind in _PLAIN else 1
    return -shared, symbol.depth, tier


def _file(path: str, symbols: Sequence[Symbol]) -> str:
    ordered = sorted(symbols, key=lambda symbol: (symbol.start_line, symbol.depth))
    return f"{one_line(path)}:\n" + "".join(_line(symbol) + "\n" for symbol in ordered)


def _line(symbol: Symbol) -> str:
    scope = symbol.qualified.rpartition(".")[0]
    return f"{symbol.start_line}: {'  ' * symbol.depth}{symbol.signature}{f'  [{scope}]' if scope else ''}"
