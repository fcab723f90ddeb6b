"""From an answer to the new texts of the documents and files that it is of, all or none. Knows neither hosts nor disks.

Parses code, so call it in a thread.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from pointsman.refactor.answer import NOTHING_TO_DO, TORN, code_of, new_document, says_no_change
from pointsman.refactor.blocks import Placed
from pointsman.refactor.checks import parses_alone
from pointsman.refactor.lines import Selection, reindented
from pointsman.refactor.sections import Section, sections_of
from pointsman.refactor.work import Chosen, Work

_FENCED = (".md", ".markdown", ".mdx", ".qmd", ".rmd")
"""Files that hold code blocks of their own."""
_COMMENTS = ("#", "//", "/*", "*", "--")


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """`reason` says why there are none, in words without a text of a file or the model."""

    documents: dict[int, str] = field(default_factory=dict)
    """By index into the work's parts."""
    files: dict[int, str] = field(default_factory=dict)
    """By index into the work's new files."""
    reason: str = ""


def changes_of(answer: str, work: Work) -> Changes:
    """What the answer makes of the work; nothing at all when any of it cannot be placed."""
    answer = answer.replace("\r\n", "\n")
    if says_no_change(answer):
        return Changes(reason=NOTHING_TO_DO)
    only = len(work.parts) == 1 and not work.parts[0].read_only
    sections = sections_of(answer, only=only)
    headed = any(section.target != ("part", 1) or section.symbol for section in sections)
    documents: dict[int, str] = {}
    files: dict[int, str] = {}
    for target, own in _grouped(sections, headed):
        if target is None:
            return Changes(reason="it does not say which part it is of")
        kind, number = target
        if not 1 <= number <= len(work.parts if kind == "part" else work.creates):
            return Changes(reason="it names a part that there is not")
        if kind == "new":
            new = _new_file(own, work.creates[number - 1].relative)
        elif work.parts[number - 1].read_only:
            return Changes(reason="it changes lines that are there to be read only")
        else:
            new = _new_text(own, work.parts[number - 1])
        if new.text is None:
            if new.reason == NOTHING_TO_DO:
                continue
            where = f" ({'part' if kind == 'part' else 'new file'} {number})" if len(work.paths) > 1 else ""
            return Changes(reason=f"{new.reason}{where}")
        (documents if kind == "part" else files)[number - 1] = new.text
    if not documents and not files:
        return Changes(reason=NOTHING_TO_DO if sections else "the answer held no change that could be placed")
    return Changes(documents=documents, files=files)


def _grouped(sections: list[Section], headed: bool) -> Iterator[tuple[tuple[str, int] | None, list[Section]]]:
    """Sections by target, in order; talk before the first header, and one that holds no code, is left out."""
    groups: dict[tuple[str, int] | None, list[Section]] = {}
    for number, section in enumerate(sections):
        talk = headed and number == 0 and not section.symbol and section.target in (None, ("part", 1))
        if talk and len(sections) > 1 and not code_of(section.body):
            continue
        groups.setdefault(section.target, []).append(section)
    yield from groups.items()


def _new_file(sections: list[Section], path: str) -> Placed:
    if len(sections) != 1 or sections[0].symbol:
        return Placed(text=None, reason="a new file has to come whole, in one block")
    blocks = code_of(sections[0].body)
    if not blocks:
        return Placed(text=None, reason="a new file has to come in a fenced code block")
    best = max(blocks, key=lambda block: len(block.text))
    if not best.closed:
        return Placed(text=None, reason="the answer breaks off in the middle")
    if best.torn() or (path.lower().endswith(_FENCED) and len(blocks) > 1):
        return Placed(text=None, reason=TORN)
    return Placed(text=best.text.strip("\n") + "\n")


def _new_text(sections: list[Section], part: Chosen) -> Placed:
    language = part.snapshot.language
    if not any(section.symbol for section in sections):
        body = "\n".join(section.body for section in sections)
        return new_document(body, part.selection, lambda text: parses_alone(text, language))
    if not all(section.symbol for section in sections):
        return Placed(text=None, reason="it gives definitions and other changes of one part")
    return _with_definitions(sections, part)


def _with_definitions(sections: list[Section], part: Chosen) -> Placed:
    from pointsman_indexer.parse import parse

    selection = part.selection
    symbols = parse(part.snapshot.text.encode("utf-8", "replace"), part.snapshot.language).symbols
    inside = [s for s in symbols if selection.start <= s.start_line and s.end_line <= selection.end]
    lines = selection.text.split("\n")
    replaced: list[tuple[int, int, str]] = []
    for section in sections:
        name = section.symbol.replace("::", ".").replace("#", ".").removesuffix("()")
        named = [symbol for symbol in inside if symbol.is_called(name)]
        if len(named) != 1:
            return Placed(text=None, reason="it names a definition that is not one of the part's")
        blocks = code_of(section.body)
        if len(blocks) != 1 or not blocks[0].closed:
            return Placed(text=None, reason="a definition has to come whole, in one fenced code block")
        start, end = named[0].start_line - selection.start, named[0].end_line - selection.start + 1
        new = blocks[0].text.strip("\n")
        while start < end - 1 and _is_comment(lines[start]) and not _is_comment(new.partition("\n")[0]):
            start += 1  # comments above a definition belong to it, and are easily left away
        own = Selection(lines=tuple(lines[start:end]), start=1, end=end - start)
        replaced.append((start, end, reindented(new, own.indent)))
    replaced.sort(reverse=True)
    if any(later[0] < earlier[1] for later, earlier in pairwise(replaced)):
        return Placed(text=None, reason="it gives a definition twice, or one inside another")
    for start, end, new in replaced:
        lines[start:end] = new.split("\n")
    return Placed(text=selection.replaced("\n".join(lines)))


def _is_comment(line: str) -> bool:
    return line.lstrip().startswith(_COMMENTS)
