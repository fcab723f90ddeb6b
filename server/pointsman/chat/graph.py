"""The answer to "what calls X?" and "where is X defined?": what the symbol graph tells, said without a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pointsman.chat.citations import add_places
from pointsman.chat.quote import LINES, block
from pointsman.chat.runs import Lines
from pointsman.chat.sources import Source
from pointsman.host.api import Place

Cited = dict[int, Lines]
"""By the numbers of sources, the lines that are cited."""
_MOST_COUNTED = 100


def used(name: str, uses: Sequence[Place], sources: Mapping[int, Source]) -> tuple[str, Cited]:
    """Where `name` is used, a place a line; "" when no source, by its number, holds one of them. Of others only the
    number is told."""
    held = _held(uses, sources)
    lines = [f"- {_use(place, sources[number])} [{number}]" for number, place in held]
    return _text(f"`{name}` is used here:", ["\n".join(lines)] if lines else [], len(uses) - len(held)), _cited(held)


def defined(
    name: str, definitions: Sequence[Place], sources: Mapping[int, Source], *, unused: bool = False
) -> tuple[str, Cited]:
    """Each definition of `name` by its first lines; "" when no source, by its number, holds one. `unused` says that a
    use was asked for and that there is none."""
    held = _held(definitions, sources)
    blocks = []
    for number, place in held:
        source, end = sources[number], place.line + LINES
        own = [(n, line) for n, line in source.passage if place.line <= n <= min(end, place.end_line)]
        blocks.append(block(number, source, own))
    silent = f"The symbol graph knows no use of `{name}`. " if unused else ""
    return _text(f"{silent}`{name}` is defined here:", blocks, len(definitions) - len(held)), _cited(held)


def _held(places: Sequence[Place], sources: Mapping[int, Source]) -> list[tuple[int, Place]]:
    """The places that a source shows, each with the source's number."""
    found = []
    for place in places:
        for number, source in sources.items():
            if source.path == place.path and place.line in dict(source.passage):
                found.append((number, place))
                break
    return found


def _cited(held: Sequence[tuple[int, Place]]) -> Cited:
    cited: Cited = {}
    for number, place in held:
        add_places(cited, {number: (place.line, max(place.line, place.end_line))})
    return cited


def _use(place: Place, source: Source) -> str:
    line = dict(source.passage)[place.line].strip()
    code = f": `{line}`" if line and "`" not in line else ""
    inside = f"`{place.symbol}` in " if place.symbol else ""
    by_name = "" if place.confidence == "resolved" else ", going by the name alone"
    return f"{inside}`{place.path}:{place.line}`{by_name}{code}"


def _text(first: str, blocks: Sequence[str], more: int) -> str:
    if not blocks:
        return ""
    told = f"over {_MOST_COUNTED}" if more > _MOST_COUNTED else str(more)  # the graph stops somewhere too
    rest = [f"And in {told} more place{'s' if more > 1 else ''}."] if more > 0 else []
    return "\n\n".join([first, *blocks, *rest])
