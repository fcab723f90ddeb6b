"""What may not be looked at below a root: the index's rules and the policy's, as they are now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pointsman.errors import ConfigError
from pointsman.policy import layers
from pointsman.settings import Paths
from pointsman_indexer import Exclusions, ExclusionsInvalid


def exclusions_of(paths: Paths) -> Callable[[Path], Exclusions]:
    def exclusions(root: Path) -> Exclusions:
        try:
            return Exclusions(root, layers.load(paths, root).exclude)
        except ExclusionsInvalid as error:
            raise ConfigError(str(error)) from error

    return exclusions
