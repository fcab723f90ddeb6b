"""Changes single keys of the user's `settings.toml` and leaves every other line as the user wrote it."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pointsman import safefile
from pointsman.errors import ConfigError


def write_settings(path: Path, values: Mapping[str, str]) -> None:
    """Set each of `values`. Raises `ConfigError` when the file cannot be read, written or safely edited."""
    try:
        text = path.read_text("utf-8") if path.exists() else ""
        wanted = {**tomllib.loads(text), **values}
        for key, value in values.items():
            text = _with(text, key, value)
        if tomllib.loads(text) != wanted:
            raise ConfigError(f"{path} cannot be edited safely", remedy=f"set {', '.join(values)} by hand")
        safefile.replace(path, text.encode("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _with(text: str, key: str, value: str) -> str:
    line = f"{key} = {json.dumps(value)}"  # a JSON string of plain words is a TOML string
    old = re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*=.*$", re.MULTILINE)
    if old.search(text):
        return old.sub(lambda _: line, text, count=1)
    return f"{text.rstrip()}\n{line}\n" if text.strip() else f"{line}\n"
