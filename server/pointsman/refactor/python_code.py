"""Whether two Python programs are the same code but for docstrings or type hints, by `ast`: comments never count."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from dataclasses import dataclass, field

from pointsman.refactor.checks import parsed_python

_OF_TYPES = frozenset({"__future__", "typing", "typing_extensions", "collections", "collections.abc", "types"})
"""Modules whose import changes nothing but what a hint can name."""

_RUNS = (ast.Call, ast.NamedExpr, ast.Await, ast.Yield, ast.YieldFrom, ast.Lambda, ast.comprehension)


def same_but_docstrings(base: str, new: str) -> bool:
    """Raises `SyntaxError` or `ValueError` for what is no Python, or is nested too deeply to compare."""
    return _Bare(docstrings=True).dumped(parsed_python(base)) == _Bare(docstrings=True).dumped(parsed_python(new))


def but_hints(base: str, new: str, *, docstrings: bool = False) -> str:
    """What else than new or finer hints, and imports for them, changed, in words; "" when nothing did.

    Raises as `same_but_docstrings`.

    Args:
        docstrings: whether these may change as well.
    """
    old_tree, new_tree = parsed_python(base), parsed_python(new)
    undefined = _undefined(new_tree) - _undefined(old_tree)
    computed = _computed(new_tree) - _computed(old_tree)
    old, now = _Bare(docstrings=docstrings, hints=True), _Bare(docstrings=docstrings, hints=True)
    same = old.dumped(old_tree) == now.dumped(new_tree)
    if not same or old.declared - now.declared or old.imported - now.imported:
        return "changed code"
    if old.hints_seen - now.hints_seen:
        return "dropped type hints that there were"
    if now.fields != old.fields:
        return "changed the fields of a class"
    if computed:
        return "wrote code into a type hint"
    return "used a name in a type hint that nothing defines" if undefined else ""


@dataclass
class _Bare(ast.NodeTransformer):
    """Takes away what may differ, and keeps count of what must not be lost by that."""

    docstrings: bool = False
    hints: bool = False
    hints_seen: Counter[str] = field(default_factory=Counter)
    """By the names that they stand at."""
    fields: list[str] = field(default_factory=list)
    """Annotated targets, in order, of classes that are made of them: with decorators or bases, as a dataclass."""
    declared: Counter[str] = field(default_factory=Counter)
    """Targets of annotations without a value, such as a dataclass's fields."""
    imported: Counter[str] = field(default_factory=Counter)
    """What was imported of the modules of types."""

    def dumped(self, tree: ast.Module) -> str:
        """What is left of the tree, which is changed by that, in one form. Raises `ValueError`."""
        try:
            return ast.dump(self.visit(tree))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error

    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        if getattr(node, "body", None) == [] and not isinstance(node, ast.Module):
            node.body = [ast.Pass()]  # type: ignore[attr-defined]
        return node

    def visit_Expr(self, node: ast.Expr) -> ast.AST | None:
        said = isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        return None if self.docstrings and said else self.generic_visit(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        if self.hints and node.annotation is not None:
            node.annotation = None
            self.hints_seen[f"argument {node.arg}"] += 1
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        return self._function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        return self._function(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        if self.hints and (node.decorator_list or node.bases):
            annotated = (one.target for one in node.body if isinstance(one, ast.AnnAssign))
            self.fields += [f"{node.name} {ast.dump(target)}" for target in annotated]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if not self.hints:
            return self.generic_visit(node)
        self.hints_seen[ast.dump(node.target)] += 1
        if node.value is None:
            self.declared[ast.dump(node.target)] += 1
            return None
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value))

    def visit_Module(self, node: ast.Module) -> ast.AST:
        if self.hints:
            node.body = [one for one in node.body if not self._imports_types(one)]
        return self.generic_visit(node)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if self.hints and node.returns is not None:
            node.returns = None
            self.hints_seen[f"return {node.name}"] += 1
        return self.generic_visit(node)

    def _imports_types(self, node: ast.stmt, *, checking: bool = False) -> bool:
        """Whether all that the statement does is to import for hints; what it imports is noted then."""
        if isinstance(node, ast.If) and not node.orelse and _is_checking(node.test):
            return all(self._imports_types(one, checking=True) for one in node.body)
        if isinstance(node, ast.Import):
            fitting = checking or all(alias.name in _OF_TYPES for alias in node.names)
            where = ""
        elif isinstance(node, ast.ImportFrom):
            where = "." * node.level + (node.module or "")
            fitting = checking or where in _OF_TYPES
        else:
            return False
        if fitting:
            self.imported.update(f"{where} {alias.name} {alias.asname}" for alias in node.names)
        return fitting


def _is_checking(test: ast.expr) -> bool:
    return (test.id if isinstance(test, ast.Name) else getattr(test, "attr", "")) == "TYPE_CHECKING"


def _computed(tree: ast.Module) -> set[str]:
    """Hints that run something when the file is imported."""
    hints = (getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns"))
    return {
        ast.dump(hint)
        for hint in hints
        if isinstance(hint, ast.expr) and any(isinstance(one, _RUNS) for one in ast.walk(hint))
    }


def _undefined(tree: ast.Module) -> set[str]:
    """Names in hints that are nothing of Python's and bound nowhere in the file: they fail when it is imported."""
    bound, used, late = set(dir(builtins)), set[str](), False
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound |= {alias.asname or alias.name.partition(".")[0] for alias in node.names}
            late |= isinstance(node, ast.ImportFrom) and node.module == "__future__"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound |= {node.name, *(str(getattr(one, "name", "")) for one in getattr(node, "type_params", ()))}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        for hint in (getattr(node, "annotation", None), getattr(node, "returns", None)):
            if isinstance(hint, ast.expr):
                used |= {one.id for one in ast.walk(hint) if isinstance(one, ast.Name)}
    return set() if late or "*" in bound else used - bound
