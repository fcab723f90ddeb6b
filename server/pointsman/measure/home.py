"""Folders for a measurement: the user's settings, policy and models, and an index of its own that is thrown away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from pointsman.settings import Paths


def borrowed(paths: Paths, folder: Path) -> Paths:
    """`paths` with `folder` for everything that is written, but for models and what is converted from them."""
    own = replace(paths, data=folder / "data", run=folder / "run").ensure()
    if paths.models.is_dir() and not own.models.exists():
        own.models.symlink_to(paths.models, target_is_directory=True)
    return own
