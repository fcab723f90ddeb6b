"""Which language a file is in, and that language's grammar, loaded on first use.

Languages without a grammar here still have a name: their files are indexed as windows of text.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import tree_sitter

_GRAMMARS: dict[str, tuple[str, str, str]] = {
    # language: wheel, its factory, queries
    "bash": ("tree_sitter_bash", "language", "bash"),
    "c": ("tree_sitter_c", "language", "c"),
    "cpp": ("tree_sitter_cpp", "language", "cpp"),
    "csharp": ("tree_sitter_c_sharp", "language", "c_sharp"),
    "go": ("tree_sitter_go", "language", "go"),
    "java": ("tree_sitter_java", "language", "java"),
    "javascript": ("tree_sitter_javascript", "language", "ecmascript javascript"),
    "json": ("tree_sitter_json", "language", "json"),
    "markdown": ("tree_sitter_markdown", "language", "markdown"),
    "php": ("tree_sitter_php", "language_php", "php"),
    "python": ("tree_sitter_python", "language", "python"),
    "ruby": ("tree_sitter_ruby", "language", "ruby"),
    "rust": ("tree_sitter_rust", "language", "rust"),
    "toml": ("tree_sitter_toml", "language", "toml"),
    "tsx": ("tree_sitter_typescript", "language_tsx", "ecmascript typescript"),
    "typescript": ("tree_sitter_typescript", "language_typescript", "ecmascript typescript"),
    "yaml": ("tree_sitter_yaml", "language", "yaml"),
}

_REFERENCES = {
    "go": "go",
    "java": "java",
    "javascript": "ecmascript javascript",
    "python": "python",
    "rust": "rust",
    "tsx": "ecmascript typescript",
    "typescript": "ecmascript typescript",
}
"""Languages whose uses and imports are known, with their queries; of the others only definitions are."""
WITH_USES = _REFERENCES.keys()

_EXTENSIONS = {
    extension: language
    for language, extensions in {
        "bash": "sh bash zsh ksh bats",
        "c": "c h",
        "cpp": "cc cpp cxx c++ hh hpp hxx h++ ipp inl cu cuh",
        "csharp": "cs csx",
        "go": "go",
        "java": "java",
        "javascript": "js jsx mjs cjs",
        "json": "json jsonc json5 geojson webmanifest ipynb",
        "markdown": "md markdown mdx",
        "php": "php phtml php3 php4 php5 phps",
        "python": "py pyi pyw",
        "ruby": "rb rake gemspec ru",
        "rust": "rs",
        "toml": "toml",
        "tsx": "tsx",
        "typescript": "ts mts cts",
        "yaml": "yaml yml",
        # windows of text
        "clojure": "clj cljs cljc edn",
        "css": "css",
        "dart": "dart",
        "elixir": "ex exs",
        "erlang": "erl hrl",
        "fsharp": "fs fsi fsx",
        "haskell": "hs",
        "html": "html htm xhtml",
        "ini": "ini cfg",
        "julia": "jl",
        "kotlin": "kt kts",
        "lua": "lua",
        "make": "mk",
        "nix": "nix",
        "ocaml": "ml mli",
        "perl": "pl pm",
        "powershell": "ps1 psm1",
        "protobuf": "proto",
        "r": "r",
        "restructuredtext": "rst",
        "scala": "scala sbt",
        "scss": "scss sass",
        "sql": "sql",
        "svelte": "svelte",
        "swift": "swift",
        "terraform": "tf hcl",
        "text": "txt",
        "vim": "vim",
        "vue": "vue",
        "xml": "xml xsd svg",
        "zig": "zig",
    }.items()
    for extension in extensions.split()
}

_NAMES = {
    **dict.fromkeys(("makefile", "gnumakefile"), "make"),
    **dict.fromkeys(("dockerfile", "containerfile"), "dockerfile"),
    **dict.fromkeys(("gemfile", "rakefile", "vagrantfile", "podfile"), "ruby"),
    **dict.fromkeys((".bashrc", ".bash_profile", ".profile", ".zshrc", "pkgbuild"), "bash"),
    "cmakelists.txt": "cmake",
    "go.mod": "gomod",
    "pipfile": "toml",
}

_ALIASES = {
    "c#": "csharp",
    "docker": "dockerfile",
    "f#": "fsharp",
    "golang": "go",
    "javascriptreact": "javascript",
    "node": "javascript",
    "plaintext": "text",
    "shell": "bash",
    "shellscript": "bash",
    "typescriptreact": "tsx",
}
"""What people and editors call languages beside their names and extensions."""

LANGUAGES = tuple(sorted({*_EXTENSIONS.values(), *_NAMES.values(), "dockerfile"}))

_INTERPRETERS = (
    (b"python", "python"),
    (b"bash", "bash"),
    (b"node", "javascript"),
    (b"ruby", "ruby"),
    (b"php", "php"),
    (b"sh", "bash"),
)

_CPP_ONLY = re.compile(rb"^\s*(?:class\s+\w+[^;]*\{|namespace\b|template\s*<|using\s+\w|public:|private:)", re.M)


@dataclass(frozen=True, slots=True)
class Grammar:
    language: tree_sitter.Language
    query: tree_sitter.Query
    references: tree_sitter.Query | None
    """A query of its own, which asks for single nodes: those are cheap to hand over, matches are not."""


def language_of(path: str, head: bytes = b"") -> str | None:
    """The language of a file by its name, else by the interpreter line in `head`, its first bytes; None: unknown.

    With `head`, a C header that holds C++ is C++.
    """
    name = path.rpartition("/")[2].lower()
    stem, dot, extension = name.rpartition(".")
    language = _NAMES.get(name) or (_EXTENSIONS.get(extension) if dot and stem else None)
    if language is None and name.startswith("dockerfile."):
        return "dockerfile"
    if language is None and head.startswith(b"#!"):
        line = head[:200].split(b"\n", 1)[0]
        return next((known for word, known in _INTERPRETERS if word in line), None)
    if language == "c" and extension == "h" and _CPP_ONLY.search(head[:65536]):
        return "cpp"
    return language


def languages_called(name: str) -> frozenset[str]:
    """The languages that are meant by a name, an extension or another usual name; none when it is unknown.

    TypeScript counts TSX in, which is a language here for its grammar only.
    """
    folded = name.strip().casefold().removeprefix(".")
    language = folded if folded in LANGUAGES else _ALIASES.get(folded) or _EXTENSIONS.get(folded)
    if language is None:
        return frozenset()
    return frozenset({"typescript", "tsx"} if language == "typescript" else {language})


@functools.cache
def grammar(language: str) -> Grammar | None:
    """The grammar and its queries, or None when there is none."""
    if language not in _GRAMMARS:
        return None
    module, factory, queries = _GRAMMARS[language]
    loaded = tree_sitter.Language(getattr(import_module(module), factory)())
    definitions = [*(_query(name) for name in queries.split()), "(ERROR) @error", "(MISSING) @error", ""]
    uses = [_query(f"{name}_references") for name in _REFERENCES.get(language, "").split()]
    return Grammar(
        loaded,
        tree_sitter.Query(loaded, "\n".join(definitions)),
        tree_sitter.Query(loaded, "\n".join(uses)) if uses else None,
    )


def _query(name: str) -> str:
    return (Path(__file__).parent / "queries" / f"{name}.scm").read_text("utf-8")
