"""The team's own inference server, as policy lists it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from pointsman.errors import ConfigError, PolicyRefusal
from pointsman.gateway import keys
from pointsman.gateway.own import OwnEndpoint
from pointsman.models.base import Generator
from pointsman.models.card import Card
from pointsman.policy import layers
from pointsman.policy.baseurl import loopback
from pointsman.policy.schema import OwnEndpoint as OwnEntry
from pointsman.settings import Paths, Settings


class OwnServers:
    """Those that policy lists, of which the settings choose one."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def chosen(self, settings: Settings) -> OwnEntry:
        """Raises `ConfigError` where policy lists none, or not this one."""
        listed = layers.load(self._paths, None).own
        chosen = [entry for entry in listed if settings.own_endpoint in ("", entry.name)]
        if not chosen:
            raise ConfigError(
                "policy lists no such own endpoint" if listed else "policy lists no own endpoint",
                remedy="add one under [[own.endpoints]] in policy.toml, or: pointsman models use NAME --engine auto",
            )
        return chosen[0]

    def admit(self, settings: Settings, workspace: Path) -> None:
        """Raises `PolicyRefusal` where the workspace is not trusted with it, or its policy does not allow it."""
        entry, policy = self.chosen(settings), layers.load(self._paths, workspace)
        if not policy.trusted and not loopback(urlsplit(entry.base_url).hostname or ""):
            raise PolicyRefusal(
                f"this workspace is not trusted, so nothing of it goes to {entry.name}",
                rule="workspace.untrusted",
                remedy="pointsman policy trust",
            )
        if entry.name not in {listed.name for listed in policy.own}:
            raise PolicyRefusal(
                f"this repository's policy does not allow the own endpoint {entry.name}",
                rule="own.endpoints",
                remedy="pointsman models use NAME --engine auto",
            )

    def generator(self, card: Card, settings: Settings, context: int) -> Generator:
        """`context`: tokens of prompt and answer that are kept room for here, whatever the server has."""
        entry = self.chosen(settings)
        return OwnEndpoint(
            name=entry.name,
            base_url=entry.base_url,
            kind=entry.kind,
            model=entry.model,
            context=min(card.context_length, context),
            markers=card.special_tokens,
            key=keys.resolve(entry.key).reveal() if entry.key else "",
        )
