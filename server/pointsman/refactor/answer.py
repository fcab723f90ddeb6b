"""From a model's answer to the new text of the selection. Pure; what it cannot place, it does not guess.

Understood are search/replace blocks, fenced code blocks and, last, an answer that is nothing but code. Source of the
search/replace form: Aider's edit formats.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from pointsman.refactor.lines import Selection, common_indent, reindented

_BLOCK = re.compile(r"<{5,9} SEARCH\n(.*?)\n?={5,9}\n(.*?)\n?>{5,9} REPLACE", re.DOTALL)
_FENCE = re.compile(r"^(`{3,}|~{3,})[^\n`]*\n(.*?)(?:^\1[ \t]*$|\Z)", re.DOTALL | re.MULTILINE)
_WORD = re.compile(r"\w+")


def new_document(answer: str, selection: Selection, is_code: Callable[[str], bool]) -> str | None:
    """The document with the answer's change in it; None when the answer holds no change that has a place.

    `is_code` says whether a text parses as the document's language without errors.
    """
    answer = answer.replace("\r\n", "\n")
    if _BLOCK.search(answer):
        return _searched(answer, selection)
    blocks = [match[2].rstrip("\n") for match in _FENCE.finditer(answer) if match[2].strip()]
    if blocks:
        new = max(blocks, key=lambda block: _shared_words(block, selection.text))
    elif answer.strip() and _shared_words(answer, selection.text) and is_code(reindented(answer.strip("\n"), "")):
        new = answer.strip("\n").rstrip()
    else:
        return None
    return selection.replaced(reindented(_without_neighbours(new, selection), selection.indent))


def _searched(answer: str, selection: Selection) -> str | None:
    """Every block applied in turn; None as soon as one has no place, or more than one."""
    text = selection.text
    for match in _BLOCK.finditer(answer):
        changed = _replaced_once(text, match[1], match[2])
        if changed is None:
            return None
        text = changed
    return selection.replaced(text)


def _replaced_once(text: str, search: str, replace: str) -> str | None:
    if not search.strip():
        return None
    lines, wanted, new = text.split("\n"), search.split("\n"), replace.split("\n") if replace else []
    for key in (str, str.rstrip, str.strip):  # exact first, then ever less of the white space counts
        keys = [key(line) for line in wanted]
        places = [
            at
            for at in range(len(lines) - len(wanted) + 1)
            if [key(line) for line in lines[at : at + len(wanted)]] == keys
        ]
        if len(places) > 1:
            return None
        if places:
            found = lines[places[0] : places[0] + len(wanted)]
            if key is str.strip and new:
                shift = common_indent("\n".join(found))
                relative = common_indent(search)
                extra = common_indent(replace).removeprefix(relative)
                new = reindented(replace, shift + extra).split("\n")
            return "\n".join([*lines[: places[0]], *new, *lines[places[0] + len(wanted) :]])
    return None


def _without_neighbours(new: str, selection: Selection) -> str:
    """Without lines around the selection that the answer repeats: three or more of them, or all there are."""
    lines = new.split("\n")
    before, after = selection.around(200)
    above = [line.strip() for line in before.split("\n")[:-1]]
    below = [line.strip() for line in after.split("\n")[:-1]]
    stripped = [line.strip() for line in lines]
    own = [line.strip() for line in selection.text.split("\n")]
    for size in range(min(len(above), len(lines) - 1), 2, -1):
        if stripped[:size] == above[-size:] and stripped[:size] != own[:size]:
            lines, stripped = lines[size:], stripped[size:]
            break
    for size in range(min(len(below), len(lines) - 1), 2, -1):
        if stripped[-size:] == below[:size] and stripped[-size:] != own[-size:]:
            lines = lines[:-size]
            break
    return "\n".join(lines)


def _shared_words(text: str, other: str) -> int:
    return len(set(_WORD.findall(text)) & set(_WORD.findall(other)))
