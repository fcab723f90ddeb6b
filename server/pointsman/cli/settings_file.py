"""Changes single keys of the user's `settings.toml` and leaves every other line as the user wrote it."""

from __future__ import annotations

import json
import os
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
        safefile.replace(Path(os.path.realpath(path)), text.encode("utf-8"))  # a link, as of dotfiles, stays one
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from error


def _with(text: str, key: str, value: str) -> str:
    line = f"{key} = {json.dumps(value)}"  # a JSON string of plain words is a TOML string
    table = re.search(r"^[ \t]*\[", text, re.MULTILINE)
    top, tables = (text[: table.start()], text[table.start() :]) if table else (text, "")  # below it, keys are its own
    old = re.compile(rf"^[ \t]*{re.escape(key)}[ \t]*=.*$", re.MULTILINE)
    if old.search(top):
        return old.sub(lambda _: line, top, count=1) + tables
    top = f"{top.rstrip()}\n{line}\n" if top.strip() else f"{line}\n"
    return f"{top}\n{tables}" if tables else top
