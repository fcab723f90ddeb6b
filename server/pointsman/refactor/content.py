"""What a change must not bring in: addresses in configuration, and characters that nobody sees. Pure.

Editors and tools fetch what configuration names (`$schema`, a registry, a hook), so one new address there can carry
data away without anyone opening it.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath

from pointsman.hidden import IN_CODE

_URL = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,20}:)?(?:\\?/){2}[^\s\"'<>)\]}]+", re.IGNORECASE)
_RETURN = re.compile(r"\r(?!\n)")
_ENDINGS = frozenset(
    (
        *(".json", ".jsonc", ".json5", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf", ".xml", ".plist"),
        *(".env", ".properties", ".lock", ".config", ".editorconfig", ".tf", ".gradle"),
    )
)


def is_configuration(path: str) -> bool:
    """Whether tools read this file for what to do: by its ending, or because its name begins with a dot."""
    name = PurePosixPath(path.replace("\\", "/")).name.casefold().rstrip(". ")
    return name.startswith(".") or PurePosixPath(name).suffix in _ENDINGS


def new_addresses(base: str, new: str, path: str) -> int:
    """How many addresses of `new` the configuration file had not; 0 for any other file."""
    if not is_configuration(path):
        return 0
    return len(set(_URL.findall(new)) - set(_URL.findall(base)))


def new_hidden(base: str, new: str) -> int:
    """How many more invisible, bidirectional and control characters `new` holds than `base`.

    A carriage return alone is one, but in a document that has such: some languages end a line by it, and a comment.
    """
    alone = 0 if _RETURN.search(base) else len(_RETURN.findall(new))
    return alone + sum((Counter(IN_CODE.findall(new)) - Counter(IN_CODE.findall(base))).values())
