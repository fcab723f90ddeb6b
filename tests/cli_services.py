"""A command with a host that a test brings."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest

from pointsman.cli.common import Cli


def serve(monkeypatch: pytest.MonkeyPatch, host: object) -> None:
    @asynccontextmanager
    async def services(_: Cli, **__: Any) -> AsyncIterator[Any]:
        yield SimpleNamespace(host=host)

    monkeypatch.setattr(Cli, "services", services)
