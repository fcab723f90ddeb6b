"""Policy text to values, with the line of every mistake.

Knows TOML and the schema; reads no file and merges nothing. Messages quote keys, never values.
"""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import re2
from pydantic import BaseModel, ValidationError

from pointsman.policy.schema import Exclude, LimitFile, Models, PolicyFile, Review, Route

_HEADER = re2.compile(r"\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?")
_KEY = re2.compile(r"""\s*("[^"]*"|'[^']*'|[A-Za-z0-9_.-]+)\s*=""")
_AT_LINE = re2.compile(r"\(at (?:line (\d+), column \d+|end of document)\)")

F = TypeVar("F", PolicyFile, LimitFile)


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Something that is wrong with a layer. It switches the closed model off."""

    layer: str
    file: str
    line: int
    """1-based; 0 when it is about the whole file."""
    message: str
    hides: bool = False
    """Whether what the layer excludes cannot be known for it."""

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}" if self.line else f"{self.file}: {self.message}"


def parse(text: bytes, form: type[F], *, layer: str, file: str) -> tuple[F, tuple[Problem, ...]]:
    """Read one layer. With problems, the value holds only the sections that restrict, as far as they are sound: a
    typing mistake elsewhere must not lift an exclusion, and one that may have is marked (`Problem.hides`)."""

    def problem(line: int, message: str, *, hides: bool = True) -> Problem:
        return Problem(layer=layer, file=file, line=line, message=message, hides=hides)

    try:
        source = text.decode("utf-8")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        return form(version=1), (problem(line, "is not UTF-8 text"),)
    try:
        raw = tomllib.loads(source)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        return form(version=1), (problem(*_toml_error(error, source)),)
    values = _tuples(raw)
    try:
        return form.model_validate(values), ()
    except ValidationError as error:
        lines = source.splitlines()
        problems = tuple(
            problem(
                _line_of(lines, item["loc"]),
                f"{_spell(item['loc'])}: {_wording(item['type'], item['msg'])}",
                hides=item["loc"][:1] == ("exclude",),
            )
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        )
        return _restrictions(form, values), problems


def _toml_error(error: Exception, source: str) -> tuple[int, str]:
    message = str(error)
    at = _AT_LINE.search(message)
    if at is None:
        return 0, "is nested too deeply" if isinstance(error, RecursionError) else "is not TOML"
    line = int(at[1]) if at[1] else len(source.splitlines())
    return line, f"is not TOML: {message[: at.start()].strip().lower()}"


def _tuples(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _tuples(item) for key, item in value.items()}
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def _restrictions(form: type[F], values: Any) -> F:
    sections: dict[str, BaseModel | bool | dict[str, Any]] = {"local_only": values.get("local_only") is True}
    for name, model in (("exclude", Exclude), ("models", Models), ("review", Review)):
        try:
            sections[name] = model.model_validate(values.get(name, {}))
        except ValidationError:
            continue
    try:
        kept = Route.model_validate({"local_paths": values.get("route", {}).get("local_paths", ())})
        sections["route"] = {"local_paths": kept.local_paths}
    except (ValidationError, AttributeError):
        pass
    return form.model_validate({"version": 1, **sections})


def _wording(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "unknown key"
    if kind == "missing":
        return "is missing"
    return message.removeprefix("Value error, ")


def _spell(location: Sequence[int | str]) -> str:
    parts = [f"[{part}]" if isinstance(part, int) else f".{part}" for part in location]
    return "".join(parts).removeprefix(".")


def _line_of(lines: list[str], location: Sequence[int | str]) -> int:
    """The line of the key at `location`, or of the nearest thing around it: its table's header, else 1."""
    wanted = tuple(location)
    best, best_depth = 1, 0
    table: tuple[int | str, ...] = ()
    seen: dict[tuple[int | str, ...], int] = {}
    for number, line in enumerate(lines, 1):
        if header := _HEADER.fullmatch(line):
            names = tuple(part.strip().strip("\"'") for part in header[2].split("."))
            table = _with_indices(names, seen)
            if header[1] == "[[":
                seen[table] = index = seen.get(table, -1) + 1
                table = (*table, index)
            here = table
        elif key := _KEY.match(line):
            here = (*table, *(part.strip("\"'") for part in key[1].split(".")))
        else:
            continue
        shared = min(len(here), len(wanted))
        if shared > best_depth and wanted[:shared] == here[:shared]:
            best, best_depth = number, shared
    return best


def _with_indices(names: tuple[str, ...], seen: dict[tuple[int | str, ...], int]) -> tuple[int | str, ...]:
    """`names` with the current element's number after each array of tables on the way, but the last name."""
    path: tuple[int | str, ...] = ()
    for place, name in enumerate(names):
        path = (*path, name)
        if place < len(names) - 1 and path in seen:
            path = (*path, seen[path])
    return path
