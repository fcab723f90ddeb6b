"""What an instruction promises to leave: a request for documentation leaves the code, one for type hints all but those.

Read from its words, clause by clause; one clause that asks for something else, and nothing is promised. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Literal

from pointsman.refactor.bare import PROSE, TYPED, bare, lines_of_code
from pointsman.refactor.directives import meddled
from pointsman.refactor.python_code import but_hints, same_but_docstrings

Kind = Literal["documentation", "type hints"]

_CLAUSE = re.compile(r"[;,\n]|\.(?=\s|$)|\b(?:and|then|but|also|plus)\b")
_POLITE = re.compile(r"^(?:\s|please\b|just\b|can you\b|could you\b)+")
_ABOUT = r"(?=\s*$|\s+(?:to|for|on|in|of|at|as|that|which|what|where|with|above|below|explaining|describing|please)\b)"
_EDITS = (
    r"(?:add|write|put|insert|give|generate|create|provide|include|improve|update|fix|correct|complete|expand|extend"
    r"|rewrite|rephrase|translate|shorten|remove|delete|drop|change)"
)
_FEW_WORDS = r"(?:(?!(?:with|without|as|to|into|by|from)\b)[\w'-]+\s+)"
_NO_CODE = r"(?!\s+(?:check|test|pars|extract|generat|handl|valid|lint)\w*)"
"""What would make a piece of code of the words before it."""
_DOCS = re.compile(
    rf"\b(?:doc[\s-]?(?:strings?|blocks?|comments?)|(?:js|ts|php|java|go|rust|k)docs?)\b{_NO_CODE}"
    # Words that code is about as well, so only where they are what is to be written.
    rf"|^{_EDITS}\s+{_FEW_WORDS}{{0,4}}?(?:comments?|docs|documentation)\b{_ABOUT}"
    r"|^(?:document|comment)\s+(?!out\b)\w"
)
_HINTS = re.compile(
    rf"\btype[\s-]?(?:hint(?:s|ing)?|annotations?)\b{_NO_CODE}|^annotate\b"
    rf"|^{_EDITS}\s+{_FEW_WORDS}{{0,2}}?(?:types|typing){_ABOUT}"
)
_MENTIONED = re.compile(
    r"\b(?:keep\w*|preserv\w+|leav\w+|without|with|as|match\w*|according|per|from|follow\w*|like"
    r"|to\s+(?:parse|read|check|extract|strip|find|handle|validate|collect|show))\b"
)
"""Before documentation or hints: something else is asked for, which they are only about."""
_ASKS = re.compile(
    rf"^(?:{_EDITS}|rename|move|extract|refactor|simplify|inline|implement|replace|convert|split|merge|handle|make|turn"
    r"|clean|sort|reorder|optimi[sz]e|speed|cache|validate|wrap|swap|set|switch|support|catch|log|test"
    r"|use|apply|ensure|allow|accept|avoid|port|migrate|introduce|reduce|raise|memoi[sz]e|compute"
    r"|return(?!\s+values?\b))\b"
)
_TYPE_IMPORT = re.compile(r"^import type\b.*", re.MULTILINE)
"""Of TypeScript: may come with hints, and what is there may not go."""


def promised(instruction: str, language: str) -> frozenset[Kind]:
    """What alone may change; empty when that is not said. Of prose nothing is promised: it is all documentation."""
    found: set[Kind] = set()
    if language in PROSE:
        return frozenset()
    for raw in _CLAUSE.split(instruction.casefold()):
        clause = _POLITE.sub("", raw).strip()
        docs, hints = _asked(_DOCS, clause), _asked(_HINTS, clause)
        if not docs and not hints and _ASKS.match(clause):
            return frozenset()
        found |= {"documentation"} if docs else set()
        found |= {"type hints"} if hints else set()
    return frozenset(found)


def _asked(wanted: re.Pattern[str], clause: str) -> bool:
    found = wanted.search(clause)
    return found is not None and _MENTIONED.search(clause[: found.start()]) is None


def can_be_kept(promise: frozenset[Kind], text: str, language: str) -> bool:
    """Whether it can be told, for such a text, that the promise was kept. Parses, so call it in a thread."""
    known = "type hints" not in promise or language == "python" or language in TYPED
    return known and bare(text, language) is not None


def broken(promise: frozenset[Kind], base: str, new: str, language: str) -> str:
    """How an answer breaks the promise, as what it did besides; "" when it keeps it. Parses, so call it in a thread."""
    if not promise:
        return ""
    return _code_changed(promise, base, new, language) or meddled(base, new, language, hints="type hints" in promise)


def _code_changed(promise: frozenset[Kind], base: str, new: str, language: str) -> str:
    if language == "python":
        try:
            if "type hints" in promise:
                return but_hints(base, new, docstrings="documentation" in promise)
            return "" if same_but_docstrings(base, new) else "changed code"
        except (SyntaxError, ValueError):
            pass  # a file that is broken elsewhere, which is compared as text
    types = "type hints" in promise
    if types and Counter(_TYPE_IMPORT.findall(base)) - Counter(_TYPE_IMPORT.findall(new)):
        return "changed code"
    old, now = bare(base, language, types=types), bare(new, language, types=types)
    return "" if None not in (old, now) and lines_of_code(old or "") == lines_of_code(now or "") else "changed code"


def breach(instruction: str, base: str, new: str, language: str) -> str:
    """As `broken`, of the instruction itself and with what it asks for; "" as well where nothing can be told."""
    promise = promised(instruction, language)
    if not (promise and can_be_kept(promise, base, language)):
        return ""
    wrong = broken(promise, base, new, language)
    return f"{wrong}, in a request for {' and '.join(sorted(promise))} alone" if wrong else ""
