"""Which imports of a Python program are new and for its hints alone: they bring a name that meant nothing before. Pure.

An import that takes a name which the program has, or Python, is code: `from typing import cast as is_allowed` lets
everybody in.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from dataclasses import dataclass, field

_OF_TYPES = frozenset({"typing", "typing_extensions", "collections", "collections.abc", "types"})
"""Modules whose import changes nothing but what a hint can name."""
_CHECKING = frozenset((module, "TYPE_CHECKING") for module in ("typing", "typing_extensions"))
_TYPING = frozenset(("", module) for module, _ in _CHECKING)

Thing = tuple[str, str]
"""What an import brings: the module and the name in it, or "" and the module."""
_OTHER: Thing = ("", "")
"""Anything that is no import."""
_Key = tuple[Thing, str | None, bool]


def without_new_imports(old: ast.Module, new: ast.Module) -> None:
    """Take out of `new` what it imports for hints alone; both trees then have one import a statement."""
    before, after = _names(old), _names(new)
    old.body = list(_single(old.body, before))
    new.body = list(_single(new.body, after))
    known = {_key(node, checking) for node, checking in _imports(old.body, before)}
    gone = {
        id(node)
        for node, checking in _imports(new.body, after)
        if _key(node, checking) not in known and _for_hints(node, before, checking=checking)
    }
    for node in new.body:
        if _is_checking(node, after):
            node.body = [one for one in node.body if id(one) not in gone]  # type: ignore[attr-defined]
            gone |= set() if node.body else {id(node)}  # type: ignore[attr-defined]
    new.body = [node for node in new.body if id(node) not in gone]


@dataclass(frozen=True, slots=True)
class _Names:
    bound: dict[str, set[Thing]] = field(default_factory=dict)
    """What they stand for anywhere in the program, in whatever scope."""
    used: set[str] = field(default_factory=set)
    """Those that stand outside of hints."""

    def free(self, name: str, thing: Thing) -> bool:
        """Whether only hints can notice that `name` is `thing` from now on."""
        if name == "*" or hasattr(builtins, name) or (name.startswith("__") and name.endswith("__")):
            return False
        return self.bound[name] <= {thing} if name in self.bound else name not in self.used


def _names(tree: ast.Module) -> _Names:
    found = _Names()
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            for alias in node.names:
                found.bound.setdefault(_bound_name(node, alias), set()).add(_thing(node, alias))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found.used.add(node.id)
        elif not isinstance(node, ast.alias | ast.keyword):
            for key in ("name", "id", "arg", "rest", "names"):
                value = getattr(node, key, None)
                for name in value if isinstance(value, list) else [value]:
                    if isinstance(name, str):
                        found.bound.setdefault(name, set()).add(_OTHER)
        for key, value in ast.iter_fields(node):
            if key not in ("annotation", "returns"):
                waiting += [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, ast.AST)]
    return found


def _single(body: list[ast.stmt], names: _Names) -> Iterator[ast.stmt]:
    for node in body:
        if isinstance(node, ast.Import):
            yield from (ast.Import(names=[alias]) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (ast.ImportFrom(module=node.module, names=[alias], level=node.level) for alias in node.names)
        else:
            if _is_checking(node, names):
                node.body = list(_single(node.body, names))  # type: ignore[attr-defined]
            yield node


def _imports(body: list[ast.stmt], names: _Names) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool]]:
    """Those of the module, one name each, with whether only a type checker reads them."""
    for node in body:
        inner = node.body if _is_checking(node, names) else []  # type: ignore[attr-defined]
        for one in (node, *inner):
            if isinstance(one, ast.Import | ast.ImportFrom):
                yield one, one is not node


def _is_checking(node: ast.stmt, names: _Names) -> bool:
    """Whether it is an `if` of a flag that is `typing`'s own and nothing else in all the program."""
    if not isinstance(node, ast.If) or node.orelse:
        return False
    test = node.test
    if isinstance(test, ast.Name):
        things = names.bound.get(test.id, set())
        return bool(things) and things <= _CHECKING
    if isinstance(test, ast.Attribute) and test.attr == "TYPE_CHECKING" and isinstance(test.value, ast.Name):
        things = names.bound.get(test.value.id, set())
        return bool(things) and things <= _TYPING
    return False


def _for_hints(node: ast.Import | ast.ImportFrom, before: _Names, *, checking: bool) -> bool:
    (alias,) = node.names
    where, name = _thing(node, alias)
    if where == "__future__":
        return name == "annotations" and alias.asname is None
    of_types = (where if isinstance(node, ast.ImportFrom) else alias.name) in _OF_TYPES
    return (checking or of_types) and before.free(_bound_name(node, alias), (where, name))


def _key(node: ast.Import | ast.ImportFrom, checking: bool) -> _Key:
    return _thing(node, node.names[0]), node.names[0].asname, checking


def _thing(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> Thing:
    if isinstance(node, ast.ImportFrom):
        return "." * node.level + (node.module or ""), alias.name
    return "", alias.name if alias.asname else alias.name.partition(".")[0]


def _bound_name(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    return alias.asname or (alias.name if isinstance(node, ast.ImportFrom) else alias.name.partition(".")[0])
