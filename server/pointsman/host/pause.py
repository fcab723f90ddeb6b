"""Whether indexing is to pause for the machine's sake, when the user asked for that."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from pointsman.settings import PauseChoice

_SUPPLIES = Path("/sys/class/power_supply")


def reason(choice: PauseChoice, on_battery: Callable[[], bool], is_loaded: Callable[[], bool]) -> str:
    """Why indexing pauses now, or ""."""
    if choice in ("battery", "both") and on_battery():
        return "while on battery"
    if choice in ("load", "both") and is_loaded():
        return "while the machine is busy"
    return ""


def on_battery(supplies: Path = _SUPPLIES) -> bool:
    """Whether a battery drains. False where the machine does not say, as on one that has none."""
    return any(
        _read(supply / "type") == "Battery" and _read(supply / "status") == "Discharging" for supply in _each(supplies)
    )


def is_loaded() -> bool:
    """Whether more than one process for each core wanted to run in the last minute, and one more: our own."""
    return os.getloadavg()[0] > (os.cpu_count() or 1) + 1


def _each(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _read(file: Path) -> str:
    try:
        return file.read_text("ascii", "replace").strip()
    except OSError:
        return ""
