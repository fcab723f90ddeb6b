"""The facts of a manifest that importing needs, told as imports, so that they live and die with the file's version.

`go.mod` gives its module path, `Cargo.toml` and `package.json` their package's name, each as `Import(module=name,
name="package")`; `tsconfig.json` gives its `baseUrl` as `Import(module=folder, name="base")` and each entry of `paths`
as `Import(module=target, name="path", alias=pattern)`.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any

from pointsman_indexer.symbols import Import

NAMES = frozenset({"go.mod", "Cargo.toml", "package.json", "tsconfig.json", "jsconfig.json", "tsconfig.base.json"})
_LARGEST = 65536
_MOST = 200
_GO_MODULE = re.compile(r"^module\s+\"?([^\s\"]+)", re.M)
_JSON_NOISE = re.compile(r'("(?:[^"\\\n]|\\.)*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.S)


def facts(data: bytes, language: str) -> tuple[Import, ...]:
    """The facts of a file that may be a manifest; () for all others and for what cannot be read."""
    reader = {"gomod": _go, "json": _json, "toml": _cargo}.get(language)
    if reader is None or len(data) > _LARGEST:
        return ()
    try:
        found = list(reader(data.decode("utf-8", "replace")))
    except (ValueError, RecursionError):
        return ()
    return tuple(Import(module=module, name=name, alias=alias, line=1) for module, name, alias in found[:_MOST])


def _go(text: str) -> Iterator[tuple[str, str, str]]:
    found = _GO_MODULE.search(text)
    if found is not None:
        yield found[1], "package", ""


def _cargo(text: str) -> Iterator[tuple[str, str, str]]:
    if "[package]" not in text:
        return
    name = tomllib.loads(text)["package"].get("name")
    if isinstance(name, str):
        yield name.replace("-", "_"), "package", ""


def _json(text: str) -> Iterator[tuple[str, str, str]]:
    if '"compilerOptions"' not in text and not ('"name"' in text and ('"version"' in text or '"private"' in text)):
        return
    known: Any = json.loads(_JSON_NOISE.sub(lambda found: found[1] or "", text))
    if not isinstance(known, dict):
        return
    if isinstance(known.get("name"), str):
        yield known["name"], "package", ""
    options = known.get("compilerOptions")
    if not isinstance(options, dict):
        return
    base = options.get("baseUrl")
    if isinstance(base, str):
        yield base, "base", ""
    paths = options.get("paths")
    for pattern, targets in paths.items() if isinstance(paths, dict) else ():
        for target in targets if isinstance(targets, list) else ():
            if isinstance(target, str):
                yield target, "path", pattern
