"""What a symbol does, by the first sentence of its own documentation: what the smallest models need not write."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pointsman.chat.citations import Grounded
from pointsman.chat.sources import Source
from pointsman.host.api import Place

_NUMBER = re.compile(r"\s?\[\d+\]")
"""What a reader would take for a source's."""


def documented(definitions: Sequence[Place], sources: Mapping[int, Source]) -> Grounded:
    """The sentence of the first definition that has one, and the lines of the documentation, by the number of the
    source that shows it. Blocks: a passage is parsed."""
    for place in definitions:
        for number, source in sources.items():
            if source.path == place.path and source.holds(place.line) and (found := _first_sentence(source, place)):
                said, first, last = found
                return Grounded(text=f"{said[:1].upper()}{said[1:]} [{number}].", places={number: (first, last)})
    return Grounded()


def _first_sentence(source: Source, place: Place) -> tuple[str, int, int] | None:
    # Tree-sitter is not loaded at start-up.
    from pointsman_indexer.doctext import clean, sentences
    from pointsman_indexer.languages import language_of
    from pointsman_indexer.pairs import documentation

    lines = dict(source.passage)
    start, end = min(lines), max(lines)
    # Joined passages leave out the blank lines between them.
    data = "\n".join(lines.get(number, "") for number in range(start, end + 1)).encode("utf-8", "replace")
    language = language_of(source.path, data[:256])
    for symbol, spans in documentation(data, language) if language else ():
        # By its lines as well as its name: a class says what a method of the same name does not.
        around = start + symbol.start_line - 1 <= place.line <= start + symbol.end_line - 1
        if around and symbol.name == place.symbol.rpartition(".")[2]:
            raw = b"\n".join(data[span.start : span.end] for span in spans).decode("utf-8", "replace")
            said = _NUMBER.sub("", next(iter(sentences(clean(raw))), "")).strip(" .:;,")
            first = start + data[: spans[0].start].count(b"\n")
            return (said, first, start + data[: spans[-1].end].count(b"\n")) if " " in said else None
    return None
