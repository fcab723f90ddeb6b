"""Check an answer against its sources, sentence by sentence, and number what holds.

The number comes from the check, not from the model: small ones hardly write any. A sentence that no source says
(`support`) is left out. A copied run of lines is code, and has to stand in a source as it is. The check is one of
words, not of truth. Source of the idea: lexical attribution, as in Rashkin et al., "Measuring Attribution in Natural
Language Generation Models", 2021, with overlap in place of human judgement.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher

from pointsman.chat.runs import Lines
from pointsman.chat.sources import Source
from pointsman.chat.support import overlap, said
from pointsman.chat.types import Citation
from pointsman.chat.words import content_words
from pointsman.models.prompting import ticks_for

_COPIED = 0.8
"""Share of the lines of a code block that must stand in a source."""
_NUMBER = re.compile(r"\s?\[(\d{1,2}(?:\s?,\s?\d{1,2})*)\]")
_BLOCK = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_PLACE = re.compile(r"\s*(?:\[?\d+\]?\s+)?[^\s:]+:\d+(?:-\d+)?\s*")
_SAYS_NOTHING = re.compile(r"[^\W\d_][.!?:]\s*\Z")
"""The end of "Yes.", which claims nothing by itself; not of the number of a list, or of what was cut."""
_REFUSAL = re.compile(
    r"\b(?:sources?|passages?|provided (?:code|text|context))\b[^.\n]{0,30}"
    r"\b(?:do(?:es)? not|don't|doesn't|cannot|can't)\b[^.\n]{0,30}"
    r"\b(?:answer|mention|contain|provide|include|describe|say|show|specify|explain)"
    r"|\bI (?:cannot|can't|could not|couldn't) (?:answer|find)\b",
    re.I,
)
_SENTENCE = re.compile(r"[^\n]+?(?:[.!?](?=\s|\Z)|\n|\Z)|\n+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounded:
    """`text` holds only sentences that stand, each with its [n]; empty when too few do."""

    text: str = ""
    places: Mapping[int, Lines] = field(default_factory=dict)
    """By the number of a source, the lines of it that say so."""


def numbered(sources: Sequence[Source]) -> dict[int, Source]:
    """The sources by their numbers, which count from 1."""
    return dict(enumerate(sources, start=1))


def ground(
    answer: str, sources: Mapping[int, Source], asked: frozenset[str] = frozenset(), *, strong: bool = False
) -> Grounded:
    """Keep what the sources support. Nothing is kept when less than half of the sentences with a subject is.

    `asked` are the content words of the question. `strong`: the model writes in words of its own and knows what it
    cites, so that a source which it names needs only to overlap.
    """
    kept: list[str] = []
    places: dict[int, Lines] = {}
    seen: set[str] = set()
    claims = supported = 0
    for piece in _pieces(answer, sources):
        named, bare = _split_numbers(piece, sources)
        if _PLACE.fullmatch(bare):
            continue  # the prompt's own heading of a source, said again
        if len(content_words(bare)) < 2:
            if not bare.strip() or _SAYS_NOTHING.search(bare):
                kept.append(bare)
            continue
        if bare.strip() in seen:
            continue
        seen.add(bare.strip())
        claims += 1
        found = _support(bare, named, sources, asked, strong)
        if not found:
            continue
        supported += 1
        add_places(places, found)
        kept.append(_numbered(bare, list(found)))
    if not supported or supported * 2 < claims:
        return Grounded()
    return Grounded(text=_tidy("".join(kept)), places=places)


def add_places(places: dict[int, Lines], more: Mapping[int, Lines]) -> None:
    """Make each place of `places` reach over that of `more` as well."""
    for number, (first, last) in more.items():
        before = places.get(number, (first, last))
        places[number] = (min(before[0], first), max(before[1], last))


def refuses(answer: str) -> bool:
    """Whether the model says, as it was told to, that the sources do not answer: by its first sentence."""
    first = next((piece for piece in _pieces(answer, {}) if piece.strip()), "")
    return bool(_REFUSAL.search(first))


def sentence(
    written: str, source: Source, number: int, asked: frozenset[str] = frozenset(), *, cut: bool = False
) -> Grounded:
    """The first sentence of what was written from one source alone, with its number, when it holds.

    Of a text that was `cut` it must have its own end.
    """
    flat = " ".join(written.split()).strip('"')
    first = next((piece.strip().strip('"') for piece in _pieces(flat, {}) if piece.strip()), "")
    body = _NUMBER.sub("", first).strip()
    ended = body.endswith((".", "!", "?"))
    # What ends in a colon leaves the rest to what is not copied.
    if first.startswith("```") or not body or body.endswith(":") or (cut and not ended):
        return Grounded()
    return ground(f"{body[:1].upper()}{body[1:]}{'' if ended else '.'}", {number: source}, asked)


def citations(sources: Mapping[int, Source], places: Mapping[int, Lines]) -> tuple[Citation, ...]:
    """The citations of these sources by their numbers, each with the lines that say so."""
    return tuple(
        Citation(n=n, path=s.path, start_line=first, end_line=last, symbol=s.symbol_of(first, last), sha=s.sha)
        for n, s in sorted(sources.items())
        if n in places
        for first, last in [places[n]]
    )


def _pieces(answer: str, sources: Mapping[int, Source]) -> list[str]:
    """Sentences, line ends and whole code blocks; lines that were copied from a source are a block, fenced or not."""
    pieces: list[str] = []
    for part in _BLOCK.split(answer):
        if part.startswith("```"):
            pieces.append(part)
            continue
        for run in _runs(part, sources):
            pieces += [run] if run.startswith("```") else _SENTENCE.findall(run)
    return pieces


def _runs(text: str, sources: Mapping[int, Source]) -> list[str]:
    """`text` with each run of two or more lines of one source put into a fence of its own."""
    if not sources:
        return [text]
    bodies = {n: {line.strip() for _, line in source.lines} - {""} for n, source in sources.items()}
    out: list[str] = []
    lines = text.splitlines()
    at = 0
    while at < len(lines):
        copied = max((_copied(lines, at, body) for body in bodies.values()), key=len)
        if len(copied) > 1:
            code = "\n".join(copied)
            ticks = ticks_for(code)
            out.append(f"{ticks}\n{code}\n{ticks}\n")
        else:
            out.append(f"{lines[at]}\n")
        at += max(len(copied), 1)
    return out


def _copied(lines: Sequence[str], at: int, body: Collection[str]) -> list[str]:
    """The lines from `at` on that are lines of `body`, without empty ones at the end; a number behind one goes."""
    found: list[str] = []
    for line in lines[at:]:
        bare = line if line.strip() in body else _NUMBER.sub("", line)
        if bare.strip() and bare.strip() not in body:
            break
        found.append(bare)
    while found and not found[-1].strip():
        found.pop()
    return found if lines[at].strip() else []


def _split_numbers(piece: str, sources: Mapping[int, Source]) -> tuple[list[int], str]:
    """Numbers of sources that are there, and the piece without any numbers."""
    if piece.startswith("```"):
        return [], piece
    named = [int(n) for match in _NUMBER.finditer(piece) for n in match[1].split(",")]
    return [n for n in dict.fromkeys(named) if n in sources], _NUMBER.sub("", piece)


def _support(
    bare: str, named: Sequence[int], sources: Mapping[int, Source], asked: frozenset[str], strong: bool
) -> dict[int, Lines]:
    """The sources that support the sentence, with their lines: those that it names, else the first one."""
    if bare.startswith("```"):
        return _copies(bare, sources)
    held = {n: lines for n, source in sources.items() if (lines := said(bare, source, asked))}
    if strong:
        held = {n: lines for n in named if (lines := overlap(bare, sources[n]))} | held
    return {n: held[n] for n in [n for n in named if n in held] or list(held)[:1]}


def _copies(block: str, sources: Mapping[int, Source]) -> dict[int, Lines]:
    """The source that holds the most of the block's lines in their order, and where, if that is enough of them."""
    wanted = [line.strip() for line in block.split("\n")[1:] if line.strip().strip("`")]
    best: tuple[float, int, Lines] = (0.0, 0, (0, 0))
    for n, source in sources.items():
        lines = [(number, line.strip()) for number, line in source.lines if line.strip()]
        matcher = SequenceMatcher(a=wanted, b=[line for _, line in lines], autojunk=False)
        run = matcher.find_longest_match()
        runs = [run] if run.size >= _COPIED * len(wanted) else [r for r in matcher.get_matching_blocks() if r.size]
        share = sum(run.size for run in runs) / len(wanted) if wanted else 0.0
        if share > best[0]:
            best = (share, n, (lines[runs[0].b][0], lines[runs[-1].b + runs[-1].size - 1][0]))
    return {best[1]: best[2]} if best[0] >= _COPIED else {}


def _numbered(bare: str, numbers: Sequence[int]) -> str:
    mark = " " + "".join(f"[{n}]" for n in numbers)
    if bare.startswith("```"):
        return f"{bare}\n{mark.strip()}\n"
    body = bare.rstrip()
    tail = bare[len(body) :]
    if body.endswith((".", "!", "?", ":")):
        return f"{body[:-1]}{mark}{body[-1]}{tail}"
    return f"{body}{mark}{tail}"


def _tidy(text: str) -> str:
    return re.sub(r"\n{3,}", "\n\n", text).strip()
