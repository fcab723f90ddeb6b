"""Questions with the piece of code that answers each: what an embedder is trained on, and measured with.

From documentation, comments, tests and names in files; what is said in words is blanked in the code. `commits` has what
history gives.
Pure functions of bytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pointsman_indexer.chunk import Chunk, chunk
from pointsman_indexer.lines import Lines
from pointsman_indexer.pairs import Asked, blank, documentation, documented, is_test
from pointsman_indexer.pairs_of_names import identifier_queries, tests_of
from pointsman_indexer.pairs_of_remarks import comments, further, remarks
from pointsman_indexer.parse import parse

KINDS = ("docstring", "remark", "further", "test", "identifier")
SHORTEST_CODE, LONGEST_CODE = 60, 6000
"""Characters: less says nothing, and of more the embedder reads the head alone."""
_BLANKS = re.compile(r"\n[ \t]*(?:\n[ \t]*)+\n")

Files = Mapping[str, tuple[bytes, str]]
"""Bytes and language by path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    kind: str
    """One of `KINDS`, or `commit`."""
    query: str
    path: str
    symbol: str
    """Qualified name of the definition that answers."""
    language: str
    code: str


def pieces(path: str, data: bytes, language: str) -> list[Chunk]:
    """The chunks of a file with its documentation and comments blanked."""
    documents = [span for _, spans in documentation(data, language) for span in spans]
    bare = blank(data, [*documents, *comments(data, language)])
    return chunk(path, language, Lines(bare), parse(bare, language))


def code_of(piece: Chunk) -> str:
    """What is embedded of a piece. Blanked documentation leaves a hole, which no code that is searched has."""
    return _BLANKS.sub("\n\n", piece.embedding_text).strip()


def by_symbol(pieces: list[Chunk]) -> dict[str, Chunk]:
    """The first piece of each definition that has one for itself."""
    found: dict[str, Chunk] = {}
    for one in pieces:
        found.setdefault(one.symbol, one)
    return found


def examples(files: Files, found: Mapping[str, list[Chunk]]) -> Iterator[Example]:
    """All examples of some files; `found` holds their `pieces`."""
    owners = {path: by_symbol(own) for path, own in found.items()}
    for kind, query, path, symbol in _asked(files):
        if (one := owners[path].get(symbol)) is not None:
            code = code_of(one)
            if SHORTEST_CODE <= len(code) <= LONGEST_CODE:
                yield Example(kind=kind, query=query, path=path, symbol=symbol, language=one.language, code=code)


def _asked(files: Files) -> Iterator[tuple[str, str, str, str]]:
    """Kind, query, and path and symbol of the answer."""
    asking: dict[str, Callable[[str, bytes, str], Sequence[Asked]]] = {
        "docstring": documented,
        "remark": remarks,
        "further": further,
        "identifier": identifier_queries,
    }
    for path, (data, language) in files.items():
        for kind, ask in asking.items():
            for one in ask(path, data, language):
                yield kind, one.query, path, one.symbol
    if any(is_test(path) for path in files):
        for tested in tests_of(files):
            if len(tested.targets) == 1:
                yield "test", tested.query, *tested.targets[0]
