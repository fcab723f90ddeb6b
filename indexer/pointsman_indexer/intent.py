"""What a query asks for: a name, a path, the place an error came from, or something in plain words, described or asked.

A pure reading of the query's text; each kind has its own ranking weights. Knows nothing of indexes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["name", "path", "error", "question", "words"]

_MOST_TOKENS = 64
_MOST_FRAMES = 16
_QUALIFIED = re.compile(r"\w+(?:(?:\.|::|#|->)\w+)*")
_SEPARATOR = re.compile(r"\.|::|#|->")
_NAME_LIKE = re.compile(r"_|[a-z0-9][A-Z]|\.|::|#|->")
_FILE_LIKE = re.compile(r"[^/]*\w\.[A-Za-z]\w{0,7}|.*\w/\S+")
_ASKING = re.compile(
    r"\s*(?:how|where|what|which|when|why|who|whose|do|does|did|is|are|was|can|could|should|will|would|has|have)\b"
    r"|.*\?\s*\Z",
    re.I | re.S,
)
_THING = re.compile(
    r"\s*(?:an?|represents?|base|abstract|class|raised|thrown|exception|error|wraps|wrapper|mixin|container|interface|"
    r"protocol|object|generic|stores|holds|defines?|describes?|manages?|indicates|enum|template|placeholder|common)\b",
    re.I,
)
_PUNCTUATION = "`'\"()[]{}<>,:;?!."
_FRAMES = (
    re.compile(r'File "([^"\n]{1,300})", line (\d{1,7})'),  # Python
    re.compile(r"\(?([^\s()\"']{1,300}\.\w{1,8}):(\d{1,7})(?::\d+)?\)?"),  # JavaScript, Go, Rust, compilers
)
_ERROR_LIKE = re.compile(
    r"Traceback \(most recent|\b[A-Z]\w*(?:Error|Exception|Warning)\b\s*[:(]|^\s*at \S+|panicked at|"
    r"\berror(?:\[\w+\])?: |^goroutine \d+",
    re.M,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A query, understood. Names are casefolded and in parts: `Cart.total` is ("cart", "total")."""

    kind: Kind
    names: tuple[tuple[str, ...], ...]
    """What can only be a name, by its form or because the query is nothing else."""
    words: tuple[tuple[str, ...], ...]
    """Other words, of more than three letters: they may be names."""
    paths: tuple[str, ...]
    """What looks like a file's name or path, casefolded."""
    thing: bool
    """Whether it begins as one begins to say what a thing is, and not what is done: a class is described so."""
    frames: tuple[tuple[str, int], ...]
    """Files with a line, as stack traces and compilers give them; the innermost frame first."""


def understand(query: str) -> Intent:
    """Never raises; what is beyond the first 64 tokens counts for the kind only."""
    frames = _frames(query)
    tokens = [token.strip(_PUNCTUATION) for token in query.split()[:_MOST_TOKENS]]
    paths = tuple(
        dict.fromkeys(token.casefold() for token in tokens if len(token) < 200 and _FILE_LIKE.fullmatch(token))
    )
    found = _QUALIFIED.findall(query)[:_MOST_TOKENS]
    sure = [word for word in found if _NAME_LIKE.search(word) or len(found) == 1]
    names = dict.fromkeys(map(_parts, sure))
    words = dict.fromkeys(_parts(word) for word in found if word not in sure and len(word) > 3)
    kind: Kind = "words"
    if frames or _ERROR_LIKE.search(query):
        kind = "error"
    elif paths and len(tokens) <= 2 and any("/" in path or _known_ending(path) for path in paths):
        kind = "path"
    elif names and len(names) * 2 >= len(found):
        kind = "name"
    elif _ASKING.match(query):
        kind = "question"
    thing = bool(_THING.match(query))
    return Intent(kind=kind, names=tuple(names), words=tuple(words), paths=paths, thing=thing, frames=frames)


def _parts(word: str) -> tuple[str, ...]:
    return tuple(part.casefold() for part in _SEPARATOR.split(word))


def _known_ending(path: str) -> bool:
    """Whether `a.b` is a file's name and not a qualified one."""
    from pointsman_indexer.languages import language_of

    return language_of(path, b"") is not None


def _frames(query: str) -> tuple[tuple[str, int], ...]:
    """Python tells the innermost frame last, the others first."""
    for pattern, innermost_last in zip(_FRAMES, (True, False), strict=True):
        found = [(path.replace("\\", "/").casefold(), int(line)) for path, line in pattern.findall(query)]
        if found:
            chosen = found[::-1] if innermost_last else found
            return tuple(dict.fromkeys(chosen))[:_MOST_FRAMES]
    return ()
