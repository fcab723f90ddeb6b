"""Engines follow policy: one that policy takes back, or points elsewhere, serves no further request."""

from __future__ import annotations

from pathlib import Path

import pytest

from pointsman.errors import ConfigError, PolicyRefusal
from pointsman.host.engines import Engines
from pointsman.models.card import Card
from pointsman.policy.trust import Trust
from pointsman.settings import Paths, Settings
from pointsman.wiring.maker import CatalogueMaker
from pointsman.wiring.vectors import vector_server

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
    engines = Engines(lambda: settings, CatalogueMaker(paths))
    grant(paths, 8001)
    first = await engines.generator("completion")
    assert await engines.generator("chat") is first
    assert (await engines.facts("chat")).parameters_m == 0, "the card's weights are not the endpoint's"
    grant(paths, 8002)
    assert await engines.generator("completion") is not first
    grant(paths, None)
    with pytest.raises(ConfigError, match="no own endpoint"):
        await engines.generator("completion")
    await engines.stop()


async def test_policy_is_asked_about_the_model_that_is_wanted_alone(
    paths: Paths, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(engine="own", chat_model="qwen2.5-coder-0.5b")
    maker = CatalogueMaker(paths)
    engines = Engines(lambda: settings, maker)
    asked: list[str] = []
    really = maker.grant

    def noted(card: Card, settings: Settings) -> str:
        asked.append(card.name)
        return really(card, settings)

    monkeypatch.setattr(maker, "grant", noted)
    grant(paths, 8001)
    writes, answers = await engines.generator("completion"), await engines.generator("chat")
    assert await engines.generator("completion") is writes and await engines.generator("chat") is answers
    assert asked == [settings.completion_model, "qwen2.5-coder-0.5b"] * 2
    grant(paths, 8002)
    assert await engines.generator("completion") is not writes, "its own is made anew,"
    assert await engines.generator("chat") is not answers, "and the other one before it serves again"
    settings = Settings(engine="own")
    await engines.generator("completion")
    assert len(engines.statuses()) == 1, "a model that is named no more has no engine"
    await engines.stop()


async def test_a_trusted_repository_may_forbid_it_for_its_own_text(paths: Paths, tmp_path: Path) -> None:
    settings = Settings(engine="own")
    engines = Engines(lambda: settings, CatalogueMaker(paths))
    grant(paths, 8001)
    for name, policy in (("free", "version = 1\n"), ("strict", "version = 1\n[own]\nendpoints = []\n")):
        (tmp_path / name / ".pointsman").mkdir(parents=True)
        (tmp_path / name / ".pointsman" / "policy.toml").write_text(policy)
        Trust(paths.config).trust(tmp_path / name)
    await engines.generator("completion", str(tmp_path / "free"))
    with pytest.raises(PolicyRefusal, match="does not allow") as refused:
        await engines.generator("completion", str(tmp_path / "strict"))
    assert refused.value.rule == "own.endpoints"
    await engines.stop()


def test_another_machine_s_endpoint_wants_a_trusted_workspace(paths: Paths, tmp_path: Path) -> None:
    settings, maker = Settings(engine="own"), CatalogueMaker(paths)
    grant(paths, 8001)
    maker.admit(settings, str(tmp_path))  # a server of this very machine
    file = paths.config / "policy.toml"
    file.write_text(POLICY.format(port=8001).replace("http://127.0.0.1:8001", "https://models.example"))
    with pytest.raises(PolicyRefusal, match="not trusted") as refused:
        maker.admit(settings, str(tmp_path))
    assert refused.value.rule == "workspace.untrusted"
    Trust(paths.config).trust(tmp_path)
    maker.admit(settings, str(tmp_path))


@pytest.mark.parametrize("wrong", ["local_only = true", "local_only = 'true'", "local_only = true\nnonsense", "["])
def test_local_only_and_mistakes_turn_the_vector_server_off(paths: Paths, tmp_path: Path, wrong: str) -> None:
    settings = Settings(store_url="https://vectors.example")
    assert vector_server(paths, settings, tmp_path) == ("https://vectors.example", "")
    (paths.config / "policy.toml").write_text(f"version = 1\n{wrong}\n")
    assert vector_server(paths, settings, tmp_path) == ("", "")


def test_a_trusted_repository_may_keep_its_vectors_here(paths: Paths, tmp_path: Path) -> None:
    (tmp_path / ".pointsman").mkdir()
    (tmp_path / ".pointsman" / "policy.toml").write_text("version = 1\nlocal_only = true\n")
    Trust(paths.config).trust(tmp_path)
    assert vector_server(paths, Settings(store_url="https://vectors.example"), tmp_path) == ("", "")


def test_local_only_turns_own_endpoint_off(paths: Paths) -> None:
    grant(paths, 8001)
    settings = Settings(engine="own")
    file = paths.config / "policy.toml"
    file.write_text("version = 1\nlocal_only = true\n" + POLICY.format(port=8001).split("\n", 1)[1])
    with pytest.raises(ConfigError, match="no own endpoint"):
        CatalogueMaker(paths).grant(CatalogueMaker(paths).card("smollm2-135m"), settings)
