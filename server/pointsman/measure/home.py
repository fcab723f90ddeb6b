"""Folders for a measurement: the user's settings, policy and models, and an index of its own that is thrown away."""

from __future__ import annotations

import shutil
from pathlib import Path

from pointsman.settings import Paths


def borrowed(paths: Paths, folder: Path) -> Paths:
    """The folders of an installation below `folder`, as `POINTSMAN_HOME` would have them.

    Settings and policy are copies; models, and what is kept of loading them, are the user's own.
    """
    own = Paths.resolve({"POINTSMAN_HOME": str(folder)})
    if folder.exists():
        return own
    folder.mkdir(mode=0o700)
    shutil.copytree(paths.config, own.config)
    own.cache.symlink_to(paths.cache, target_is_directory=True)
    own.ensure()
    if paths.models.is_dir():
        own.models.symlink_to(paths.models, target_is_directory=True)
    return own
