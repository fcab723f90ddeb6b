"""Holes for a server that knows by itself how its model fills in the middle: llama.cpp's `/infill`, or a `suffix`
beside OpenAI's completions.

The pipelines make one prompt for every engine, so a model that is in no catalogue gets markers of our own. They never
reach a server: here the prompt is taken apart at them again. Text of files cannot spell them, as with any markers.
"""

from __future__ import annotations

from dataclasses import dataclass

from pointsman.models.card import FillInTheMiddle

_NAMES = ("prefix", "suffix", "middle", "file")
PREFIX, SUFFIX, MIDDLE, FILE = MARKERS = tuple(f"<|pointsman_{name}|>" for name in _NAMES)


def markers(*, files: bool) -> FillInTheMiddle:
    """What a prompt builder gets; with `files`, other files are told apart as well."""
    return FillInTheMiddle(prefix=PREFIX, suffix=SUFFIX, middle=MIDDLE, file_separator=FILE if files else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hole:
    """The text around the cursor, and that of other files as (path, text)."""

    before: str
    after: str
    others: tuple[tuple[str, str], ...] = ()


def hole_of(prompt: str) -> Hole | None:
    """None for a prompt without a hole, such as a chat's."""
    head, opened, rest = prompt.partition(PREFIX)
    before, closed, after = rest.partition(SUFFIX)
    if not opened or not closed:
        return None
    lead, *files = head.split(FILE)
    parts = [one.partition("\n") for one in files]
    # The last marker names the file at hand, whose text is the hole's own.
    others = tuple((path, text.rstrip("\n")) for path, _, text in parts if text.strip())
    return Hole(before=lead + before, after=after.removesuffix(MIDDLE), others=others)
