"""Engines follow the models that are installed: after a pull or a rollback the next request gets the other version."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from pointsman.host.engines import Engines
from pointsman.models.card import Card
from pointsman.settings import Paths, Settings
from pointsman.wiring.maker import CatalogueMaker

SETTINGS = Settings(engine="torch", device="cpu")


def install(paths: Paths, name: str, version: str) -> None:
    folder = paths.models / ".versions" / name / version
    folder.mkdir(parents=True)
    (folder / "manifest.json").touch()
    (paths.models / name).unlink(missing_ok=True)
    (paths.models / name).symlink_to(folder.relative_to(paths.models))


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    def unchecked(maker: CatalogueMaker, card: Card) -> Path:
        return maker._store.folder(card.name)

    monkeypatch.delenv("POINTSMAN_POLICY", raising=False)
    monkeypatch.setattr(CatalogueMaker, "checked", unchecked)
    made = Paths.resolve({"POINTSMAN_HOME": str(tmp_path)}).ensure()
    for name in (SETTINGS.completion_model, SETTINGS.embedder):
        install(made, name, "one")
    return made


def specs(engine: object) -> list[str]:
    """Which versions the process behind an engine loads."""
    link = engine._link  # type: ignore[attr-defined]
    return [Path(spec.folder).name for spec in (link.generator, link.embedder)]


async def test_another_version_of_the_model_is_another_engine(paths: Paths) -> None:
    engines = Engines(lambda: SETTINGS, CatalogueMaker(paths))
    first = await engines.generator("completion")
    assert await engines.generator("chat") is first and specs(first) == ["one", "one"]
    install(paths, SETTINGS.completion_model, "two")
    second = await engines.generator("completion")
    assert second is not first and specs(second) == ["two", "one"]
    assert await engines.generator("chat") is second
    await engines.stop()


async def test_another_version_of_either_model_is_another_process_for_both(paths: Paths) -> None:
    engines = Engines(lambda: SETTINGS, CatalogueMaker(paths))
    embedder, _ = await engines.embedder()
    for name, expected in ((SETTINGS.completion_model, ["two", "one"]), (SETTINGS.embedder, ["two", "two"])):
        install(paths, name, "two")
        newer, _ = await engines.embedder()
        assert newer is not embedder and specs(newer) == expected
        embedder = newer
        generator = await engines.generator("completion")
        assert specs(generator) == expected
    await engines.stop()


async def test_a_pull_of_the_chat_model_leaves_the_rest_as_it_is(paths: Paths) -> None:
    settings = replace(SETTINGS, chat_model="qwen2.5-coder-1.5b")
    install(paths, settings.chat_model, "one")
    engines = Engines(lambda: settings, CatalogueMaker(paths))
    writer, chat = await engines.generator("completion"), await engines.generator("chat")
    embedder, _ = await engines.embedder()
    install(paths, settings.chat_model, "two")
    assert await engines.generator("chat") is not chat
    assert await engines.generator("completion") is writer and (await engines.embedder())[0] is embedder
    await engines.stop()
