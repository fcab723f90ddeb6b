"""docs/settings.md lists every setting, with its default."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

from pointsman.settings import Settings

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_every_setting_is_on_the_page_with_its_default() -> None:
    rows = re.findall(r"^\| `([a-z_.]+)` \|.*\| (.+?) \|$", PAGE.read_text(), re.MULTILINE)
    told = {name.replace(".", "_"): default.strip('`"') for name, default in rows}
    real = {
        field.name: str(field.default).lower()
        if isinstance(field.default, bool)
        else f"{field.default:g}"
        if isinstance(field.default, int | float)
        else str(field.default)
        for field in fields(Settings)
    }
    assert told == real
