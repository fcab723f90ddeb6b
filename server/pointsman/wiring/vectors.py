"""The Qdrant server that holds vectors, where the user chose one."""

from __future__ import annotations

from pathlib import Path

from pointsman.gateway import keys
from pointsman.policy import layers
from pointsman.settings import Paths, Settings


def vector_server(paths: Paths, settings: Settings, root: Path) -> tuple[str, str]:
    """Its URL and API key; ("", "") for none, or where policy wants no other."""
    if settings.store_url and layers.load(paths, root).nothing_out:
        return "", ""
    key = keys.resolve(settings.store_key).reveal() if settings.store_url and settings.store_key else ""
    return settings.store_url, key
