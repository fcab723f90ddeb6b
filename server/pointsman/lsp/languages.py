"""Languages as editors name them, as the index names them. The rest are the same."""

from __future__ import annotations

_NAMES = {
    "c++": "cpp",
    "cs": "csharp",
    "cuda": "cpp",
    "cuda-cpp": "cpp",
    "javascriptreact": "javascript",
    "json5": "json",
    "jsonc": "json",
    "makefile": "make",
    "mdx": "markdown",
    "proto": "protobuf",
    "proto3": "protobuf",
    "ps1": "powershell",
    "sh": "bash",
    "shellscript": "bash",
    "typescriptreact": "tsx",
    "zsh": "bash",
}
"""VS Code's identifiers and Neovim's file types, by which one file may have two names."""


def language_named(identifier: str) -> str:
    """The index's name for a `languageId`."""
    return _NAMES.get(identifier, identifier)
