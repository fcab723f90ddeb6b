"""Check an answer against its sources, sentence by sentence, and number what holds.

The check is one of words, not of truth: a sentence is supported when a source holds most of its content words and
every name that it sets in backquotes. Source of the idea: lexical attribution, as in Rashkin et al., "Measuring
Attribution in Natural Language Generation Models", 2021, with overlap in place of human judgement.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pointsman.chat.sources import Source
from pointsman.chat.types import Citation
from pointsman.chat.words import content_words, coverage

SUPPORTED = 0.85
"""Share of a sentence's content words that must be in one source, when the model named none."""
SUPPORTED_CITED = 0.5
"""The same when the model named that source itself."""
_BEHIND = 0.1
"""How much less of it than the best source a named one may hold: below that, the model took the wrong number."""
_NUMBER = re.compile(r"\s?\[(\d{1,2}(?:\s?,\s?\d{1,2})*)\]")
_NAME = re.compile(r"`([^`\n]{1,80})`")
_BLOCK = re.compile(r"(```.*?(?:```|\Z))", re.DOTALL)
_PLACE = re.compile(r"\s*(?:\[?\d+\]?\s+)?[^\s:]+:\d+(?:-\d+)?\s*")
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

    text: str
    used: tuple[int, ...]


def ground(answer: str, sources: Sequence[Source]) -> Grounded:
    """Keep what the sources support. Nothing is kept when less than half of the sentences with a subject is."""
    words = [source.words for source in sources]
    kept: list[str] = []
    used: set[int] = set()
    seen: set[str] = set()
    claims = supported = 0
    for piece in _pieces(answer):
        named, bare = _split_numbers(piece, len(sources))
        subject = content_words(bare)
        if _PLACE.fullmatch(bare):
            continue  # the prompt's own heading of a source, said again
        if len(subject) < 2:
            kept.append(bare)  # "Yes.", a line end: it claims nothing by itself
            continue
        if bare.strip() in seen:
            continue
        seen.add(bare.strip())
        claims += 1
        numbers = _support(bare, subject, named, sources, words)
        if not numbers:
            continue
        supported += 1
        used |= set(numbers)
        kept.append(_numbered(bare, numbers))
    if not supported or supported * 2 < claims:
        return Grounded(text="", used=())
    return Grounded(text=_tidy("".join(kept)), used=tuple(sorted(used)))


def refuses(answer: str) -> bool:
    """Whether the model says, as it was told to, that the sources do not answer: by its first sentence."""
    first = next((piece for piece in _pieces(answer) if piece.strip()), "")
    return bool(_REFUSAL.search(first))


def sentence(written: str, source: Source, number: int) -> str:
    """The first sentence of what was written from one source alone, with its number; "" when it does not hold."""
    first = next((piece.strip().strip('"') for piece in _pieces(written.strip()) if piece.strip()), "")
    if first.startswith("```") or not ground(first, [source]).text:
        return ""
    body = _NUMBER.sub("", first).strip()
    return _numbered(body[:1].upper() + body[1:], [number])


def citations(sources: Sequence[Source], used: Sequence[int]) -> tuple[Citation, ...]:
    """The citations of the sources with these numbers, which count from 1."""
    return tuple(
        Citation(n=n, path=s.path, start_line=s.start_line, end_line=s.end_line, symbol=s.symbol, sha=s.sha)
        for n, s in enumerate(sources, start=1)
        if n in used
    )


def _pieces(answer: str) -> list[str]:
    """Sentences, line ends and whole code blocks, which give `answer` again when joined."""
    pieces: list[str] = []
    for part in _BLOCK.split(answer):
        pieces += [part] if part.startswith("```") else _SENTENCE.findall(part)
    return pieces


def _split_numbers(piece: str, count: int) -> tuple[list[int], str]:
    """Numbers of sources that exist, and the piece without any numbers."""
    if piece.startswith("```"):
        return [], piece
    named = [int(n) for match in _NUMBER.finditer(piece) for n in match[1].split(",")]
    return [n for n in dict.fromkeys(named) if 1 <= n <= count], _NUMBER.sub("", piece)


def _support(
    bare: str, subject: frozenset[str], named: list[int], sources: Sequence[Source], words: Sequence[frozenset[str]]
) -> list[int]:
    """Numbers of the sources that support the sentence: those that it names, else the best one."""
    names = _NAME.findall(bare)

    def holds(number: int) -> bool:
        source = sources[number - 1]
        return all(name.rstrip("()") in f"{source.symbol} {source.text} {source.path}" for name in names)

    held = {n: coverage(subject, words[n - 1]) for n in range(1, len(sources) + 1) if holds(n)}
    best = sorted(held, key=lambda n: -held[n])[:1]
    enough = max(SUPPORTED_CITED, max(held.values(), default=0.0) - _BEHIND)
    return [n for n in named if held.get(n, 0.0) >= enough] or [n for n in best if held[n] >= SUPPORTED]


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
