"""Which files of the repository a module's name means, by their paths and manifests alone.

Nothing is read: what is not among the paths does not exist, so no name leads out of the repository. Each language has
a function from a module as it is written in a file to paths; () is a module from elsewhere.
"""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

from pointsman_indexer.symbols import Import

ECMASCRIPT = frozenset({"javascript", "typescript", "tsx"})
_ECMA_ENDINGS = ("", ".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mjs", ".cjs", ".mts", ".cts", ".vue", ".svelte")
_ECMA_INDEX = tuple(f"/index{ending}" for ending in _ECMA_ENDINGS if ending)
_DEEPEST = 40
"""Parts of a module's name, or folders above a file, that are looked at."""
_MOST_FILES = 500
"""Of a folder that is one module."""


class Layout:
    """The paths of a repository as modules. `manifests` maps the path of a manifest to its facts."""

    def __init__(self, paths: Iterable[str], manifests: Mapping[str, Sequence[Import]] | None = None) -> None:
        self._paths = frozenset(paths)
        self._manifests = manifests or {}

    def files(self, module: str, path: str, language: str) -> tuple[str, ...]:
        """The files that `module`, as it stands in an import of the file at `path`, is made of; best first."""
        reader = _READERS.get(language)
        return tuple(reader(self, module, path)) if reader is not None and len(module) < 1000 else ()

    def within(self, module: str, name: str, language: str) -> str:
        """The name of the module `name` inside of `module`, in Python or Rust."""
        joint = "::" if language == "rust" else "" if module.endswith(".") else "."
        return f"{module}{joint}{name}"

    def folder(self, path: str) -> Sequence[str]:
        """The files in the folder of `path` that share its extension."""
        return self._folders.get((posixpath.dirname(path), posixpath.splitext(path)[1]), ())

    @cached_property
    def _folders(self) -> Mapping[tuple[str, str], Sequence[str]]:
        folders: dict[tuple[str, str], list[str]] = {}
        for path in sorted(self._paths):
            folders.setdefault((posixpath.dirname(path), posixpath.splitext(path)[1]), []).append(path)
        return folders

    @cached_property
    def _by_name(self) -> Mapping[str, Sequence[str]]:
        """Python and Java files by their name; a package's `__init__.py` by its folder's."""
        names: dict[str, list[str]] = {}
        for path in sorted(self._paths):
            if path.endswith((".py", ".pyi", ".java")):
                folder, _, name = path.rpartition("/")
                stem = name.partition(".")[0]
                names.setdefault(folder.rpartition("/")[2] if stem == "__init__" else stem, []).append(path)
        return names

    @cached_property
    def _java_folders(self) -> Mapping[str, Sequence[str]]:
        names: dict[str, list[str]] = {}
        for folder, extension in self._folders:
            if extension == ".java":
                names.setdefault(folder.rpartition("/")[2], []).append(folder)
        return names

    @cached_property
    def _packages(self) -> Mapping[tuple[str, str], str]:
        """(Manifest's file name, package's name) to its folder."""
        return {
            (posixpath.basename(path), fact.module): posixpath.dirname(path)
            for path, facts in self._manifests.items()
            for fact in facts
            if fact.name == "package"
        }

    def _first(self, candidates: Iterable[str]) -> Iterator[str]:
        for candidate in candidates:
            if candidate in self._paths:
                yield candidate
                return

    # Python

    def _python(self, module: str, path: str) -> Iterator[str]:
        parts = module.lstrip(".").split(".") if module.strip(".") else []
        if len(parts) > _DEEPEST:
            return
        dots = len(module) - len(module.lstrip("."))
        if dots:
            folder = posixpath.dirname(path)
            for _ in range(min(dots - 1, _DEEPEST)):
                folder = posixpath.dirname(folder)
            yield from self._first(_python_files(folder, parts))
            return
        roots = (above for above in _above(path) if f"{above}/__init__.py".lstrip("/") not in self._paths)
        found = next((file for root in roots for file in self._first(_python_files(root, parts))), None)
        if found is None:
            found = self._python_elsewhere(parts)
        if found is not None:
            yield found

    def _python_elsewhere(self, parts: Sequence[str]) -> str | None:
        """In another source root: the one file whose path ends so, under a folder that is no package."""
        tail = "/".join(parts)
        fits = []
        for path in self._by_name.get(parts[-1], ())[:_MOST_FILES]:
            stem = path.rpartition(".")[0].removesuffix("/__init__")
            root = stem[: -len(tail)].rstrip("/")
            if (stem == tail or stem.endswith(f"/{tail}")) and f"{root}/__init__.py" not in self._paths:
                fits.append(path)
        return min(fits, key=lambda path: (path.count("/"), path)) if fits else None

    # TypeScript, JavaScript

    def _ecmascript(self, module: str, path: str) -> Iterator[str]:
        if module.startswith("."):
            yield from self._ecma_file(_join(posixpath.dirname(path), module))
            return
        for target in self._ecma_targets(module, path):
            found = next(self._ecma_file(target), None)
            if found is not None:
                yield found
                return

    def _ecma_file(self, stem: str) -> Iterator[str]:
        bare, ending = posixpath.splitext(stem)
        written = (
            [f"{bare}{other}" for other in (".ts", ".tsx", ".mts", ".cts")] if ending in _ECMA_ENDINGS[4:8] else []
        )
        endings = (*_ECMA_ENDINGS, *_ECMA_INDEX)
        return self._first([*(f"{stem}{ending}".lstrip("/") for ending in endings), *written])

    def _ecma_targets(self, module: str, path: str) -> Iterator[str]:
        """What the nearest tsconfig makes of a module's name, then the packages of the workspace."""
        for folder in _above(path):
            for name in ("tsconfig.json", "jsconfig.json", "tsconfig.base.json"):
                facts = self._manifests.get(f"{folder}/{name}".lstrip("/"), ())
                base = next((fact.module for fact in facts if fact.name == "base"), "")
                for fact in facts:
                    start, star, end = fact.alias.partition("*")
                    if fact.name != "path" or not module.startswith(start) or not module.endswith(end):
                        continue
                    if star or module == start:
                        middle = module[len(start) : len(module) - len(end)]
                        yield _join(folder, f"{base or '.'}/{fact.module.replace('*', middle)}")
                if base:
                    yield _join(folder, f"{base}/{module}")
        parts = module.split("/")
        for taken in range(min(len(parts), 3), 0, -1):
            package = self._packages.get(("package.json", "/".join(parts[:taken])))
            if package is not None:
                rest = "/".join(parts[taken:])
                for source in ("", "src", "lib"):
                    yield _join(package, f"{source}/{rest}" if source else rest or ".")

    # Go

    def _go(self, module: str, path: str) -> Iterator[str]:
        parts = module.split("/")
        for taken in range(min(len(parts), _DEEPEST), 0, -1):
            package = self._packages.get(("go.mod", "/".join(parts[:taken])))
            if package is not None:
                files = self._folders.get((_join(package, "/".join(parts[taken:]) or "."), ".go"), ())
                yield from [file for file in files if not file.endswith("_test.go")][:_MOST_FILES]
                return

    # Rust

    def _rust(self, module: str, path: str) -> Iterator[str]:
        """The file of the longest part of the path that is a file: what remains is an item or a module inside it."""
        head, *rest = module.split("::")[:_DEEPEST]
        if head == "crate":
            starts = [self._crate(path)]
        elif head == "self":
            starts = [_rust_folder(path)]
        elif head == "super":
            # Of a module that is inside the file, the parent is the file.
            yield path
            folder = posixpath.dirname(_rust_folder(path))
            while rest and rest[0] == "super":
                folder, rest = posixpath.dirname(folder), rest[1:]
            starts = [folder]
        elif ("Cargo.toml", head) in self._packages:
            starts = [_join(self._packages["Cargo.toml", head], "src")]
        else:
            starts, rest = [_rust_folder(path)], [head, *rest]
            if not any(f"{starts[0]}/{head}{end}".lstrip("/") in self._paths for end in (".rs", "/mod.rs")):
                return
        for start in starts:
            for taken in range(len(rest), 0, -1):
                stem = "/".join((start, *rest[:taken])).lstrip("/")
                found = next(self._first((f"{stem}.rs", f"{stem}/mod.rs")), None)
                if found is not None:
                    yield found
                    return
            ends = (f"{start}/lib.rs", f"{start}/main.rs", f"{start}/mod.rs", f"{start}.rs")
            yield from self._first(end.lstrip("/") for end in ends)

    def _crate(self, path: str) -> str:
        for folder in _above(path):
            if any(f"{folder}/{name}".lstrip("/") in self._paths for name in ("lib.rs", "main.rs")):
                return folder
        return posixpath.dirname(path)

    # Java

    def _java(self, module: str, path: str) -> Iterator[str]:
        tail = module.replace(".", "/")
        name = tail.rpartition("/")[2]
        fits = [
            file
            for file in self._by_name.get(name, ())[:_MOST_FILES]
            if file == f"{tail}.java" or file.endswith(f"/{tail}.java")
        ]
        if fits:
            yield max(fits, key=lambda file: (len(posixpath.commonpath([file, path])), file))
            return
        for folder in self._java_folders.get(name, ())[:_MOST_FILES]:
            if folder == tail or folder.endswith(f"/{tail}"):
                yield from self._folders[folder, ".java"][:_MOST_FILES]


def _above(path: str) -> Iterator[str]:
    """The folders of a file, nearest first; the root is ""."""
    folder = posixpath.dirname(path)
    for _ in range(_DEEPEST):
        yield folder
        if not folder:
            return
        folder = posixpath.dirname(folder)


def _join(folder: str, way: str) -> str:
    """A path below the root; one that leaves it meets nothing, for no path begins with `..`."""
    joined = posixpath.normpath(posixpath.join(folder, way.lstrip("/")))
    return "" if joined == "." else joined


def _python_files(root: str, parts: Sequence[str]) -> Iterator[str]:
    stem = "/".join((root, *parts) if root else parts)
    if parts:
        yield from (f"{stem}.py", f"{stem}/__init__.py", f"{stem}.pyi", f"{stem}/__init__.pyi")
    else:
        yield f"{stem}/__init__.py".lstrip("/")


def _rust_folder(path: str) -> str:
    """The folder that holds the modules inside of the module at `path`."""
    folder, _, name = path.rpartition("/")
    return folder if name in ("mod.rs", "lib.rs", "main.rs") else path.removesuffix(".rs")


_READERS: dict[str, Callable[[Layout, str, str], Iterator[str]]] = {
    "go": Layout._go,
    "java": Layout._java,
    "javascript": Layout._ecmascript,
    "python": Layout._python,
    "rust": Layout._rust,
    "tsx": Layout._ecmascript,
    "typescript": Layout._ecmascript,
}
