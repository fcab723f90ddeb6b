"""What may not be looked at below a root: the index's rules and the policy's, as they are now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pointsman.exclusion import rules_of
from pointsman.policy import layers
from pointsman.settings import Paths
from pointsman_indexer import Exclusions


def exclusions_of(paths: Paths) -> Callable[[Path], Exclusions]:
    """Of each root; raises `ConfigError` when the policy's patterns cannot be read."""
    return lambda root: rules_of(root, layers.load(paths, root).excluded())
