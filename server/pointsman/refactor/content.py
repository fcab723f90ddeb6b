"""What a change must not bring in: addresses in configuration, and characters that nobody sees. Pure.

Editors and tools fetch what configuration names (`$schema`, a registry, a hook), so one new address there can carry
data away without anyone opening it.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import PurePosixPath

_URL = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,20}:)?(?:\\?/){2}[^\s\"'<>)\]}]+", re.IGNORECASE)
_HIDDEN = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0000-\U000e007f]"
)
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
    """How many more invisible, bidirectional and control characters `new` holds than `base`."""
    return sum((Counter(_HIDDEN.findall(new)) - Counter(_HIDDEN.findall(base))).values())


def without_hidden(text: str) -> str:
    """`text` without invisible, bidirectional and control characters, line breaks and tabs aside."""
    return _HIDDEN.sub("", text)
