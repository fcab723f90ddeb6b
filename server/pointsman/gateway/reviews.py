"""Which workspaces a person has already approved an outgoing body for: what `review.outbound = "first"` remembers.

Keyed to the workspace's real path and the endpoint's address: another endpoint is reviewed anew.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

from pointsman import safefile
from pointsman.errors import ConfigError, GatewayError


@dataclass(frozen=True, slots=True)
class Reviews:
    file: Path

    def approved(self, workspace: Path, base_url: str) -> bool:
        """False as well when the memory cannot be read: then a person looks again."""
        return base_url in self._load().get(os.path.realpath(workspace), [])

    def remember(self, workspace: Path, base_url: str) -> None:
        """Raises `GatewayError` when it cannot be written."""
        try:
            with safefile.locked(self.file.with_suffix(".lock")):
                stored = self._load()
                known = stored.setdefault(os.path.realpath(workspace), [])
                if base_url not in known:
                    known.append(base_url)
                    safefile.replace(self.file, json.dumps(stored, indent=1, sort_keys=True).encode())
        except OSError as error:
            raise GatewayError(f"the approval cannot be remembered ({error.strerror}), so nothing is sent") from error

    def _load(self) -> dict[str, list[str]]:
        try:
            stored = json.loads(safefile.read(self.file))
        except (OSError, ConfigError, ValueError, RecursionError):
            return {}
        if not isinstance(stored, dict):
            return {}
        return {path: urls for path, urls in stored.items() if isinstance(urls, list)}
