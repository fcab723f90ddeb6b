"""Comments that are more than said: those that tools act on, and those that hold what a compiler reads as code.

A request for documentation or type hints alone neither drops nor adds one. Parses, so call it in a thread.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from pointsman.refactor.bare import said
from pointsman.refactor.lines import split_lines
from pointsman_indexer.parse import syntax_tree

_DIRECTIVE = re.compile(
    r"^#!.*"
    r"|(?://|#|/\*)[ \t]*(?:go:|\+build|type:|noqa|nosec|pragma|pylint:|ruff:|fmt:|isort:|flake8|mypy:|pyright:|cython:"
    r"|distutils:|eslint|prettier-|@ts-|@vite|nolint|frozen_string_literal|-\*-|coding[:=]|shellcheck|rubocop:|vim?:"
    r"|biome-ignore|swiftlint:|clang-format|istanbul|[cv]8 ignore|webpack\w|[#@]__|yaml-language-server"
    r"|local variables:).*"
    # Of Go, without a blank; of JavaScript's tools; of Python's script runners.
    r"|(?-i:/[/*](?:line|export|extern)[ \t].*)|//[#@][ \t]*source.*|///[ \t]*<(?:reference|amd-).*"
    r"|@(?:jsx|flow|jest-environment|vitest-environment).*|#[ \t]*///[ \t].*",
    re.MULTILINE | re.IGNORECASE,
)
"""Comments that tools act on."""
_OF_TYPES = re.compile(r"#[ \t]*(?:type|mypy|pyright):|(?://|/\*)[ \t]*@ts-")
_GIVES_TYPE = re.compile(r"#[ \t]*type:(?![ \t]*ignore)")
_CODING = re.compile(r"[ \t\f]*#.*?coding[:=]")
_MANIFEST = re.compile(r"# /// \w|//! ```cargo")
_MANIFEST_END = re.compile(r"# ///$|//! ```$")

_FOLDED = r"\?\?/|\\[ \t\r\f\v]*$"
_READ_AS_CODE = {
    "java": re.compile(r"\\u"),
    "c": re.compile(_FOLDED, re.MULTILINE),
    "cpp": re.compile(_FOLDED, re.MULTILINE),
    "php": re.compile(r"\?>"),
}
"""What ends a comment, or takes in the next line, before the grammar sees it so: escapes that the compiler undoes
first, lines that a backslash or its trigraph joins, PHP's end of code."""
_LINE_ENDS = re.compile("\r(?!\n)|[\x0b\x85\u2028\u2029]")
"""Where some languages end a line, and a comment with it, and grammars or people do not."""


def meddled(base: str, new: str, language: str, *, hints: bool) -> str:
    """What an answer did to such comments, in words; "" for nothing.

    Args:
        hints: whether type hints were asked for: comments about types may come then, and those that give one may go.
    """
    old, now = Counter(_directives(base)), Counter(_directives(new))
    if any(not (hints and _GIVES_TYPE.match(one)) for one in old - now):
        return "dropped comments that tools act on"
    if any(not (hints and _OF_TYPES.match(one)) for one in now - old):
        return "added comments that tools act on"
    if language == "go" and _preamble(base) != _preamble(new):
        return "changed comments that tools act on"
    if set(_LINE_ENDS.findall(new)) - set(_LINE_ENDS.findall(base)):
        return "wrote code into a comment"
    if (runs := _READ_AS_CODE.get(language)) is None:
        return ""
    added = Counter(said(new, language)) - Counter(said(base, language))
    return "wrote code into a comment" if any(map(runs.search, added)) else ""


def _directives(text: str) -> Iterator[str]:
    for one in _DIRECTIVE.findall(text):
        yield one.strip()
    lines = split_lines(text)
    for number, line in enumerate(lines[:2]):  # where alone an interpreter and an encoding are read
        if _CODING.match(line) or (not number and line.startswith("#!")):
            yield f"head: {line.strip()}"
    mark = ""
    for line in lines:  # what a script needs to run, which its runner installs
        if mark and line.startswith(mark):
            yield f"manifest: {line.strip()}"
        begins = _MANIFEST.match(line) is not None
        ends = not line.startswith(mark) or _MANIFEST_END.match(line.rstrip()) is not None
        mark = line.partition(" ")[0] if begins else "" if ends else mark


def _preamble(text: str) -> bytes:
    """All above Go's last `import "C"`, of which the comments that touch it are compiled as C."""
    data = text.encode("utf-8", "replace")
    tree = syntax_tree(data, "go")
    imports = [] if tree is None else [one for one in tree.root_node.children if one.type == "import_declaration"]
    ends = [one.end_byte for one in imports if any(name in (one.text or b"") for name in (b'"C"', b"`C`"))]
    return data[: max(ends, default=0)]
