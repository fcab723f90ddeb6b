"""Whether two Python programs are the same code but for docstrings or type hints, by `ast`: comments never count."""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from dataclasses import dataclass, field

from pointsman.refactor.checks import parsed_python
from pointsman.refactor.python_imports import without_new_imports

_OF_A_HINT = (
    *(ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple, ast.List, ast.Starred, ast.expr_context),
    *(ast.BinOp, ast.BitOr, ast.UnaryOp, ast.USub),
)
"""What a hint is made of; anything else in one is code that runs when the file is imported."""


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
    without_new_imports(old_tree, new_tree)
    old, now = _Bare(docstrings=docstrings, hints=True), _Bare(docstrings=docstrings, hints=True)
    same = old.dumped(old_tree) == now.dumped(new_tree)
    if not same or old.declared - now.declared:
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
    _local: list[set[str]] = field(default_factory=list)
    """What is assigned in each function around: elsewhere a declaration alone makes no name local."""

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
        if self.hints and (node.decorator_list or node.bases or node.keywords):
            annotated = (one.target for one in node.body if isinstance(one, ast.AnnAssign))
            self.fields += [f"{node.name} {ast.dump(target)}" for target in annotated]
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        if not self.hints:
            return self.generic_visit(node)
        self.hints_seen[ast.dump(node.target)] += 1
        if node.value is None:
            self.declared[ast.dump(node.target)] += 1
            return None if self._changes_nothing(node.target) else ast.Delete(targets=[node.target])
        return self.generic_visit(ast.Assign(targets=[node.target], value=node.value))

    def _changes_nothing(self, target: ast.expr) -> bool:
        """To declare it: that makes a function's name local, and works out what is before a dot or a bracket."""
        if isinstance(target, ast.Name):
            return not self._local or target.id in self._local[-1]
        return isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if self.hints and node.returns is not None:
            node.returns = None
            self.hints_seen[f"return {node.name}"] += 1
        self._local.append(_assigned(node))
        left = self.generic_visit(node)
        self._local.pop()
        return left


def _assigned(function: ast.FunctionDef | ast.AsyncFunctionDef) -> set[str]:
    """Names that are surely local to it whatever is declared."""
    waiting: list[ast.AST] = list(function.body)
    found = {one.arg for one in ast.walk(function.args) if isinstance(one, ast.arg)}
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        own = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda | ast.comprehension)
        if not own and not (isinstance(node, ast.AnnAssign) and node.value is None):
            waiting += ast.iter_child_nodes(node)
    return found


def _computed(tree: ast.Module) -> set[str]:
    """Hints that run something when the file is imported."""
    hints = (getattr(node, name, None) for node in ast.walk(tree) for name in ("annotation", "returns"))
    return {
        ast.dump(hint)
        for hint in hints
        if isinstance(hint, ast.expr) and not all(isinstance(one, _OF_A_HINT) for one in ast.walk(hint))
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
