"""What must hold of a change before anyone applies it: it parses, stays in its lines, brings in nothing it must not,
and its path is unprotected."""

from __future__ import annotations

import ast
import fnmatch
import unicodedata
import warnings
from collections.abc import Sequence

from pointsman.refactor.content import new_addresses, new_hidden
from pointsman.refactor.lines import Selection, split_lines
from pointsman.refactor.types import Checks
from pointsman.session import Snapshot

_FOLDERS = frozenset(
    (
        *(".git", ".github", ".gitlab", ".circleci", ".vscode", ".idea", ".cursor", ".claude", ".devcontainer"),
        *(".pointsman", ".husky", ".cargo", ".config", ".ssh", ".zed", ".continue"),
    )
)
_FILES = (
    *("*.code-workspace", "agents.md", "claude.md", "gemini.md", ".cursorrules", "copilot-instructions.md", "mcp.json"),
    *(".mcp.json", "policy.toml", ".pointsmanignore", ".gitattributes", ".gitmodules", ".gitconfig"),
    *("pyproject.toml", "setup.py", "setup.cfg", "conftest.py", "sitecustomize.py", "usercustomize.py", "*.pth"),
    *("tox.ini", "noxfile.py", "makefile", "gnumakefile", "justfile", "package.json", "build.rs", ".npmrc", ".yarnrc*"),
    *(".gitlab-ci.yml", ".travis.yml", "azure-pipelines.yml", "jenkinsfile", ".pre-commit-config.yaml", "dockerfile"),
    *(".bashrc", ".bash_profile", ".bash_login", ".bash_logout", ".profile", ".zshrc", ".zshenv", ".zprofile"),
    *(".zlogin", ".kshrc", ".cshrc", ".tcshrc", ".envrc", "config.fish"),
    *(".vimrc", ".nvimrc", ".nvim.lua", ".exrc", ".dir-locals.el", ".gdbinit"),
    *("cargo.toml", "cmakelists.txt", "build.gradle*", "settings.gradle*", "gradlew*", "pom.xml"),
    *("vite.config.*", "webpack.config.*", "rollup.config.*"),
    *("docker-compose*.y*ml", "compose.y*ml", "compose.*.y*ml", "action.y*ml"),
)


def check(base: Snapshot, new: str, selection: Selection | None) -> Checks:
    """Parses both texts, so call it in a thread. Without a selection it is a new file, whose base is empty."""
    path = base.relative
    return Checks(
        parses=new_syntax_errors(base.text, new, base.language) == 0,
        in_scope=selection is None or in_scope(base.text, new, selection),
        protected=(path,) if is_protected(path) else (),
        new_addresses=new_addresses(base.text, new, path),
        hidden=new_hidden(base.text, new),
    )


def new_syntax_errors(base: str, new: str, language: str) -> int:
    """How many more places of `new` than of `base` the grammar rejects; 0 for a language without a grammar.

    Python is asked itself as well: the grammar forgives a bracket that is missing.
    """
    from pointsman_indexer.parse import parse

    if language == "python" and _is_python(base) and not _is_python(new):
        return 1

    before = parse(base.encode("utf-8", "replace"), language)
    after = parse(new.encode("utf-8", "replace"), language)
    if not after.complete:
        return 0 if not before.complete else 1
    return max(len(after.errors) - len(before.errors), 0)


def parses_alone(text: str, language: str) -> bool:
    """Whether `text` is code of the language by itself; False for a language without a grammar."""
    from pointsman_indexer.parse import parse

    if language == "python" and not _is_python(text):
        return False
    parsed = parse(text.encode("utf-8", "replace"), language)
    return parsed.complete and not parsed.errors


def parsed_python(text: str) -> ast.Module:
    """Raises `SyntaxError` or `ValueError`. Warnings of the user's code, such as of an invalid escape, are not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (RecursionError, MemoryError) as error:
            raise ValueError("nested too deeply") from error


def _is_python(text: str) -> bool:
    try:
        parsed_python(text)
    except (SyntaxError, ValueError):
        return False
    return True


def in_scope(base: str, new: str, selection: Selection) -> bool:
    """True when every line above and below the selection is as it was."""
    lines = split_lines(new)
    above, below = selection.lines[: selection.start - 1], selection.lines[selection.end :]
    return (
        len(lines) >= len(above) + len(below)
        and _equal(lines[: len(above)], above)
        and _equal(lines[len(lines) - len(below) :], below)
    )


def is_protected(path: str) -> bool:
    """Whether changing this root-relative path could change what tools, shells, CI or an assistant do.

    Compared the way the laxest file system would: letter case, Unicode composition and dots or spaces at the end of a
    name do not count.
    """
    parts = [_folded(part) for part in path.replace("\\", "/").split("/") if part not in ("", ".")]
    if not parts or ".." in parts:
        return True
    return any(part in _FOLDERS for part in parts[:-1]) or any(fnmatch.fnmatchcase(parts[-1], name) for name in _FILES)


def _folded(part: str) -> str:
    folded = unicodedata.normalize("NFC", unicodedata.normalize("NFC", part).casefold())
    return folded if folded == ".." else folded.split(":")[0].rstrip(". ")


def _equal(lines: Sequence[str], others: Sequence[str]) -> bool:
    return list(lines) == list(others)
