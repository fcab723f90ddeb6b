"""The import rules of docs/ARCHITECTURE.md, kept by walking the source. Imports inside functions count as well."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "server", ROOT / "indexer")

HEAVY = ("torch", "transformers", "bitsandbytes", "xllamacpp", "gguf")
HTTP = ("httpx", "httpx2", "httpcore2", "requests", "urllib.request", "http.client", "aiohttp", "urllib3")
ONLY_UNDER: dict[tuple[str, ...], tuple[str, ...]] = {
    HEAVY: ("pointsman/worker/", "pointsman/measure/llama_server.py"),
    HTTP: ("pointsman/gateway/", "pointsman/models/download.py"),
    ("qdrant_edge", "qdrant_client"): ("pointsman_indexer/store_edge.py", "pointsman_indexer/store_server.py"),
    ("pygls", "lsprotocol"): ("pointsman/lsp/",),
    ("pointsman.wiring",): ("pointsman/wiring/", "pointsman/build.py"),
}

LAYERS: tuple[tuple[str, tuple[str, ...]], ...] = (
    # A module under the first may not import anything under the second: arrows point inwards only.
    ("pointsman_indexer/", ("pointsman",)),
    ("pointsman/policy/", ("pointsman.lsp", "pointsman.complete", "pointsman.chat", "pointsman.refactor")),
    ("pointsman/policy/", ("pointsman.host.client", "pointsman.host.service", "pointsman.gateway", "pointsman.worker")),
    ("pointsman/gateway/", ("pointsman.lsp", "pointsman.complete", "pointsman.chat", "pointsman.refactor")),
    (
        "pointsman/models/",
        ("pointsman.lsp", "pointsman.complete", "pointsman.chat", "pointsman.refactor", "pointsman.host"),
    ),
    (
        "pointsman/host/",
        ("pointsman.lsp", "pointsman.complete", "pointsman.chat", "pointsman.refactor", "pointsman.cli"),
    ),
    (
        "pointsman/worker/",
        ("pointsman.lsp", "pointsman.complete", "pointsman.chat", "pointsman.refactor", "pointsman.host"),
    ),
    ("pointsman/complete/", ("pointsman.lsp", "pointsman.gateway", "pointsman.worker", "pointsman.cli")),
    ("pointsman/chat/", ("pointsman.lsp", "pointsman.gateway", "pointsman.worker", "pointsman.cli")),
    ("pointsman/refactor/", ("pointsman.lsp", "pointsman.gateway", "pointsman.worker", "pointsman.cli")),
    ("pointsman/complete/", ("pointsman.observe",)),
    ("pointsman/observe/", ("pointsman.lsp", "pointsman.gateway", "pointsman.worker", "pointsman.cli")),
    ("pointsman/observe/", ("pointsman.host", "pointsman.policy")),
    ("pointsman/lsp/", ("pointsman.gateway", "pointsman.worker", "pointsman.cli")),
    ("pointsman/lsp/", ("pointsman.measure",)),
    ("pointsman/measure/", ("pointsman.gateway", "pointsman.worker", "pointsman.cli")),
    ("pointsman/errors.py", ("pointsman.",)),
    ("pointsman/settings.py", ("pointsman.host", "pointsman.policy", "pointsman.models")),
)


def modules() -> list[tuple[str, set[str]]]:
    """Every module as its path below its package's folder, with the full names that it imports."""
    found = []
    for package in PACKAGES:
        for file in sorted(package.rglob("*.py")):
            names: set[str] = set()
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom):
                    assert node.level == 0, f"{file}: relative import"
                    assert node.module is not None
                    names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
            found.append((file.relative_to(package).as_posix(), names))
    return found


def under(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(prefix.rstrip(".") + ".") for prefix in prefixes)


@pytest.mark.parametrize(("names", "rooms"), ONLY_UNDER.items(), ids=lambda value: value[0])
def test_a_library_is_imported_in_its_room_only(names: tuple[str, ...], rooms: tuple[str, ...]) -> None:
    astray = [
        f"{module} imports {n}"
        for module, ns in modules()
        for n in ns
        if under(n, names) and not module.startswith(rooms)
    ]
    assert not astray


def test_the_rule_finds_what_it_forbids() -> None:
    seen = {
        room
        for names, rooms in ONLY_UNDER.items()
        for module, ns in modules()
        for room in rooms
        if module.startswith(room) and any(under(n, names) for n in ns)
    }
    assert {"pointsman/worker/", "pointsman/gateway/", "pointsman_indexer/store_edge.py", "pointsman/lsp/"} <= seen


@pytest.mark.parametrize(("room", "forbidden"), LAYERS, ids=lambda value: value if isinstance(value, str) else value[0])
def test_arrows_point_inwards(room: str, forbidden: tuple[str, ...]) -> None:
    astray = [
        f"{module} imports {n}"
        for module, ns in modules()
        if module.startswith(room)
        for n in ns
        if under(n, forbidden)
    ]
    assert not astray


def test_no_module_needs_itself_to_be_imported() -> None:
    """By what runs when a module is imported: whichever of a circle comes first fails in some process."""
    files = {
        ".".join(file.relative_to(package).with_suffix("").parts).removesuffix(".__init__"): file
        for package in PACKAGES
        for file in package.rglob("*.py")
    }
    needs: dict[str, set[str]] = {}
    for name, file in files.items():
        found: set[str] = set()
        for node in ast.parse(file.read_text("utf-8")).body:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                whole = {f"{node.module}.{alias.name}" for alias in node.names}
                found |= {node.module, *whole} if whole - files.keys() else whole
        needs[name] = (found & files.keys()) - {name}
    while ready := {name for name, wanted in needs.items() if not wanted & needs.keys()}:
        for name in ready:
            del needs[name]
    assert not needs


@pytest.mark.parametrize(
    "module", ["pointsman.build", "pointsman.lsp.server", "pointsman.host.__main__", "pointsman.cli.app"]
)
def test_importing_it_leaves_the_heavy_libraries_out(module: str) -> None:
    code = f"import sys, {module}; sys.exit(sum(name in sys.modules for name in {HEAVY!r}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
