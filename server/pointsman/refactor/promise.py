"""What an instruction promises to leave: a request for documentation leaves the code, one for type hints all but those.

Read from its words, clause by clause; one clause that asks for something else, and nothing is promised. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from pointsman.refactor.bare import PROSE, bare, lines_of_code
from pointsman.refactor.python_code import but_hints, same_but_docstrings

Kind = Literal["documentation", "type hints"]

_CLAUSE = re.compile(r"[;,\n]|\.(?=\s|$)|\b(?:and|then|but|also|plus)\b")
_POLITE = re.compile(r"^(?:\s|please\b|just\b|can you\b|could you\b)+")
_ABOUT = r"(?=\s*$|\s+(?:to|for|on|in|of|at|that|which|what|where|with|above|below|explaining|describing|please)\b)"
_EDITS = (
    r"(?:add|write|put|insert|give|generate|create|provide|include|improve|update|fix|correct|complete|expand|extend"
    r"|rewrite|rephrase|translate|shorten|remove|delete|drop|change)"
)
_DOCS = re.compile(
    r"\bdoc[\s-]?(?:strings?|blocks?|comments?)\b|\b(?:js|ts|php|java|go|rust|k)docs?\b"
    # Words that code is about as well, so only where they are what is to be written.
    rf"|^{_EDITS}\s+(?:[\w'-]+\s+){{0,4}}?(?:comments?|docs|documentation)\b{_ABOUT}"
    r"|^(?:document|comment)\s+(?!out\b)\w"
)
_HINTS = re.compile(
    rf"\btype[\s-]?(?:hint(?:s|ing)?|annotations?)\b|^annotate\b|^{_EDITS}\s+(?:[\w'-]+\s+){{0,2}}?(?:types|typing){_ABOUT}"
)
_ASKS = re.compile(
    rf"^(?:{_EDITS}|rename|move|extract|refactor|simplify|inline|implement|replace|convert|split|merge|handle|make|turn"
    r"|clean|sort|reorder|optimi[sz]e|speed|cache|validate|wrap|swap|set|switch|support|catch|log|test)\b"
)
_DIRECTIVE = re.compile(
    r"^#!.*|(?://|#|/\*)[ \t]*(?:go:|\+build|type:|noqa|nosec|pragma|pylint:|ruff:|fmt:|mypy:|eslint|prettier-|@ts-"
    r"|nolint|frozen_string_literal|-\*-|coding[:=]).*",
    re.MULTILINE,
)
"""Comments that tools act on."""


def promised(instruction: str, language: str) -> frozenset[Kind]:
    """What alone may change; empty when that is not said. Of prose nothing is promised: it is all documentation."""
    found: set[Kind] = set()
    if language in PROSE:
        return frozenset()
    for raw in _CLAUSE.split(instruction.casefold()):
        clause = _POLITE.sub("", raw).strip()
        docs, hints = _DOCS.search(clause), _HINTS.search(clause)
        if not docs and not hints and _ASKS.match(clause):
            return frozenset()
        found |= {"documentation"} if docs else set()
        found |= {"type hints"} if hints else set()
    return frozenset(found)


def can_be_kept(text: str, language: str) -> bool:
    """Whether it can be told, for such a text, that a promise was kept. Parses, so call it in a thread."""
    return bare(text, language) is not None


def broken(promise: frozenset[Kind], base: str, new: str, language: str) -> str:
    """How an answer breaks the promise, as what it did besides; "" when it keeps it. Parses, so call it in a thread."""
    if not promise:
        return ""
    if Counter(_DIRECTIVE.findall(base)) - Counter(_DIRECTIVE.findall(new)):
        return "dropped comments that tools act on"
    if language == "python":
        try:
            if "type hints" in promise:
                return but_hints(base, new, docstrings="documentation" in promise)
            return "" if same_but_docstrings(base, new) else "changed code"
        except (SyntaxError, ValueError):
            pass  # a file that is broken elsewhere, which is compared as text
    types = "type hints" in promise
    old, now = bare(base, language, types=types), bare(new, language, types=types)
    return "" if None not in (old, now) and lines_of_code(old or "") == lines_of_code(now or "") else "changed code"
