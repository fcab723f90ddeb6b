"""Import statements, by their text, as what they bind. Knows nothing of files: `layout` says where a module is.

Text, not nodes: five languages' statements are short, and a node costs more to ask than its words to split.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from pointsman_indexer.symbols import Import

_LONGEST = 20_000
"""Characters of a statement; past them it is generated, and what follows is left out."""
_DEEPEST = 16
_PYTHON_FROM = re.compile(r"from\s*([.\s]*[\w.]*)\s*import\b(.*)", re.S)
_PYTHON_COMMENT = re.compile(r"#[^\n]*")
_COMMENT = re.compile(r"//[^\n]*|/\*.*?\*/", re.S)
_ECMA_SOURCE = re.compile(r"""(?:\bfrom|\brequire\s*\(|^\s*import)\s*(['"])([^'"\n]*)\1""")
_ECMA_NAMED = re.compile(r"\{([^}]*)\}")
_ECMA_SPACE = re.compile(r"\*\s*(?:as\s+([\w$]+))?")
_GO = re.compile(r"""^\s*([\w.]+\s+)?["`]([^"`\n]*)["`]""")
_RUST_USE = re.compile(r"^\s*(?:pub\b\s*(?:\([^)]*\))?\s*)?use\s+(.*?);?\s*$", re.S)
_RUST_MOD = re.compile(r"\bmod\s+(\w+)\s*;")
_JAVA = re.compile(r"import\s+(static\s+)?([\w.]+?)(\.\*)?\s*;")

_Bound = tuple[str, str, str]
"""Module, name, alias."""


def imports(statement: str, language: str, line: int) -> Iterator[Import]:
    """What `statement` binds; nothing when it is not as the language has it."""
    reader = _READERS.get(language)
    if reader is not None:
        for module, name, alias in reader(statement[:_LONGEST]):
            yield Import(module=module, name=name, alias=alias, line=line)


def _python(text: str) -> Iterator[_Bound]:
    text = _PYTHON_COMMENT.sub("", text).replace("\\\n", " ").replace("\\\r\n", " ")
    whole = _PYTHON_FROM.match(text.strip())
    if whole is None:
        for name, alias in _clauses(text.strip().removeprefix("import")):
            yield name, "", alias or name
        return
    module = "".join(whole[1].split())
    for name, alias in _clauses(whole[2].strip().strip("()")):
        yield (module, "*", "") if name == "*" else (module, name, alias or name)


def _clauses(text: str) -> Iterator[tuple[str, str]]:
    """`a as b, c` as pairs of name and alias, which may be ""."""
    for clause in text.split(","):
        words = [word for word in clause.split() if word not in ("type", "typeof")] or clause.split()
        if words:
            yield words[0], words[2] if len(words) > 2 and words[1] == "as" else ""


def _ecmascript(text: str) -> Iterator[_Bound]:
    text = _COMMENT.sub("", text) if "/*" in text or "//" in text.partition("from")[0] else text
    source = _ECMA_SOURCE.search(text)
    if source is None:
        return
    module, clause, required = source[2], text[: source.start()], "require" in source[0]
    passed_on = clause.lstrip().startswith("export")
    named = _ECMA_NAMED.search(clause)
    if named is not None:
        for name, alias in _clauses(named[1].replace(":", " as ")):
            yield module, name, alias or name
    clause = _ECMA_NAMED.sub("", clause)
    space = _ECMA_SPACE.search(clause)
    if space is not None:
        yield (module, "", space[1]) if space[1] else (module, "*", "")
    word = re.search(
        r"([\w$]+)\s*(?:,\s*(?:\*.*)?)?[=\s]*$", re.sub(r"^\s*(?:import|export)(?:\s+type)?\b", "", clause)
    )
    if word is not None and not passed_on and (space is None or "," in clause):
        yield module, "" if required else "default", word[1]
    elif named is None and space is None:
        yield module, "", ""


def _go(text: str) -> Iterator[_Bound]:
    found = _GO.match(text)
    if found is None:
        return
    alias = (found[1] or "").strip()
    if alias == ".":
        yield found[2], "*", ""
    else:
        last = re.sub(r"/v\d+$", "", found[2]).rpartition("/")[2]
        yield found[2], "", "" if alias == "_" else alias or last


def _rust(text: str) -> Iterator[_Bound]:
    module = _RUST_MOD.search(text)
    use = _RUST_USE.match(_COMMENT.sub("", text))
    if use is not None:
        yield from _rust_tree("", use[1], 0)
    elif module is not None:
        yield f"self::{module[1]}", "", module[1]


def _rust_tree(prefix: str, tree: str, depth: int) -> Iterator[_Bound]:
    head, brace, rest = tree.strip().partition("{")
    if brace:
        if depth < _DEEPEST:
            inner = "::".join(part for part in (prefix, "".join(head.split()).strip(":")) if part)
            for part in _top_level(rest.rpartition("}")[0]):
                yield from _rust_tree(inner, part, depth + 1)
        return
    path, _, alias = (part.strip() for part in head.partition(" as "))
    whole = "::".join(part for part in (prefix, "".join(path.split()).removeprefix("::")) if part)
    module, _, name = whole.rpartition("::")
    if name == "self" and module:
        module, _, name = module.rpartition("::")
    if name == "*":
        yield module, "*", ""
    elif name:
        yield module, name, "" if alias == "_" else alias or name


def _top_level(text: str) -> Iterator[str]:
    """Split at the commas that stand in no braces."""
    depth = start = 0
    for mark in re.finditer(r"[{},]", text):
        if mark[0] == ",":
            if depth == 0:
                yield text[start : mark.start()]
                start = mark.end()
        else:
            depth += 1 if mark[0] == "{" else -1
    if text[start:].strip():
        yield text[start:]


def _java(text: str) -> Iterator[_Bound]:
    found = _JAVA.search(text)
    if found is not None:
        if found[3]:
            yield found[2], "*", ""
        else:
            module, _, name = found[2].rpartition(".")
            yield module, name, name


_READERS: dict[str, Callable[[str], Iterator[_Bound]]] = {
    "go": _go,
    "java": _java,
    "javascript": _ecmascript,
    "python": _python,
    "rust": _rust,
    "tsx": _ecmascript,
    "typescript": _ecmascript,
}
