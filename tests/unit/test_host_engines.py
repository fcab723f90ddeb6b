"""Engines follow policy: one that policy takes back, or points elsewhere, serves no further request."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.build import _Maker
from pointsman.errors import ConfigError
from pointsman.host.engines import Engines
from pointsman.settings import Paths, Settings

POLICY = """version = 1
[[own.endpoints]]
name = "team"
base_url = "http://127.0.0.1:{port}/v1"
kind = "openai"
model = "m"
"""


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    monkeypatch.delenv("POINTSMAN_POLICY", raising=False)
    return Paths.resolve({"POINTSMAN_HOME": str(tmp_path)}).ensure()


def grant(paths: Paths, port: int | None) -> None:
    file = paths.config / "policy.toml"
    file.write_text("version = 1\n" if port is None else POLICY.format(port=port))
    file.chmod(0o600)


async def test_an_own_endpoint_is_used_only_while_policy_lists_it(paths: Paths) -> None:
    settings = Settings(engine="own")
    engines = Engines(lambda: settings, _Maker(paths))
    grant(paths, 8001)
    first = await engines.generator("completion")
    assert await engines.generator("chat") is first
    grant(paths, 8002)
    assert await engines.generator("completion") is not first
    grant(paths, None)
    with pytest.raises(ConfigError, match="no own endpoint"):
        await engines.generator("completion")
    await engines.stop()
