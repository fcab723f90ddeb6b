"""Which engine serves which task, made when first needed and shared by everybody.

Follows settings and policy while the host runs: a request after `models use` gets the new model, the old engine is
stopped, and an engine that policy takes back serves no further request. Knows the Protocols only; `build.py` decides
which class stands behind them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from pointsman.host.api import ModelFacts, Task
from pointsman.models.base import Adaptation, Engine, EngineStatus, Generator, TextEmbedder
from pointsman.models.card import Card, FillInTheMiddle
from pointsman.models.catalogue import chosen
from pointsman.settings import Settings


class EngineMaker(Protocol):
    """Makes engines, without starting them; called on a thread, for it reads and hashes weights.

    Raises `ModelMissing`, `VerificationError`, `PolicyRefusal` or `ConfigError`.
    """

    context: int
    """Tokens of prompt and answer that its engines keep room for, at most."""

    def card(self, name: str) -> Card: ...

    def ensure_installed(self, card: Card, settings: Settings) -> None: ...

    def markers(self, card: Card, settings: Settings) -> tuple[FillInTheMiddle | None, tuple[str, ...]]:
        """What marks a hole in a prompt for this model, and every text that must not stand in a file's text."""
        ...

    def grant(self, card: Card, settings: Settings) -> str:
        """Policy's leave to use the model, as the policy is now: which endpoint serves it, or on this machine which
        versions of the models are in use. An engine that was made under another grant serves no further request."""
        ...

    def admit(self, settings: Settings, workspace: str) -> None:
        """Whether text of the workspace may go where the settings send it. Raises `PolicyRefusal`."""
        ...

    def generator(self, card: Card, settings: Settings) -> Generator: ...

    def embedder(self, card: Card, settings: Settings, adaptation: Adaptation | None = None) -> TextEmbedder:
        """With an adaptation it shares the process of the one without."""
        ...


class Engines:
    """At most one generator for each model and one embedder. Belongs to one event loop."""

    def __init__(self, settings: Callable[[], Settings], maker: EngineMaker) -> None:
        self._settings = settings
        self._maker = maker
        self._generators: dict[_Key, Generator] = {}
        self._embedders: dict[_Key, TextEmbedder] = {}
        self._adapted: dict[Adaptation, TextEmbedder] = {}
        """Faces of the embedder in use, one for each repository that taught it something."""
        self._stopping: set[asyncio.Task[None]] = set()
        self._making = asyncio.Lock()

    async def facts(self, task: Task) -> ModelFacts:
        return await asyncio.to_thread(self._facts, task)

    def _facts(self, task: Task) -> ModelFacts:
        settings = self._settings()
        card = self._card(task, settings)
        self._maker.ensure_installed(card, settings)
        fim, special_tokens = self._maker.markers(card, settings)
        return ModelFacts(
            name=card.name,
            parameters_m=0.0 if settings.engine == "own" else card.parameters_m,
            context_length=min(card.context_length, self._maker.context),
            begin=card.begin,
            fim=fim,
            chat=card.chat,
            special_tokens=special_tokens,
        )

    async def generator(self, task: Task, workspace: str = "") -> Generator:
        """The engine of a task, for text of that workspace."""
        settings = self._settings()
        await asyncio.to_thread(self._maker.admit, settings, workspace)
        card = self._card(task, settings)
        key = _key(card.name, settings, await asyncio.to_thread(self._maker.grant, card, settings))
        named = {_key(name, settings, "")[:-1] for name in (settings.completion_model, settings.answering_model)}
        async with self._making:
            # The other task's engine stays while the settings name it; policy is asked about it when it is wanted.
            others = {other for other in self._generators if other[0] != card.name and other[:-1] in named}
            self._retire(self._generators, {key, *others})
            if key not in self._generators:
                self._generators[key] = await asyncio.to_thread(self._maker.generator, card, settings)
            return self._generators[key]

    async def embedder(self, adaptation: Adaptation | None = None) -> tuple[TextEmbedder, int]:
        """The embedder in use, as a repository taught it or as it ships, and the length of its vectors."""
        settings = self._settings()
        card = chosen("embedder", settings, self._maker.card)
        # The writer is part of the key: with torch, one process holds both, and a new writer is a new process.
        grant = await asyncio.to_thread(self._maker.grant, card, settings)
        key = _key(card.name, settings, f"{grant} {settings.completion_model}")
        async with self._making:
            self._retire(self._embedders, {key})
            if key not in self._embedders:
                self._adapted.clear()
                self._embedders[key] = await asyncio.to_thread(self._maker.embedder, card, settings)
            if adaptation is None:
                return self._embedders[key], card.dimension
            if adaptation not in self._adapted:
                made = await asyncio.to_thread(self._maker.embedder, card, settings, adaptation)
                self._adapted[adaptation] = made
            return self._adapted[adaptation], card.dimension

    def statuses(self) -> tuple[EngineStatus, ...]:
        return tuple(engine.status() for engine in self._all())

    async def stop(self) -> None:
        engines = self._all()
        self._generators.clear()
        self._embedders.clear()
        self._adapted.clear()
        await asyncio.gather(*(engine.stop() for engine in engines), *self._stopping)

    def _all(self) -> list[Engine]:
        return [*self._generators.values(), *self._embedders.values()]

    def _card(self, task: Task, settings: Settings) -> Card:
        answers = task != "completion" and bool(settings.chat_model)
        return chosen("chat_model" if answers else "completion_model", settings, self._maker.card)

    def _retire(self, engines: dict[_Key, Generator] | dict[_Key, TextEmbedder], wanted: set[_Key]) -> None:
        for key in [key for key in engines if key not in wanted]:
            stopping = asyncio.ensure_future(engines.pop(key).stop())
            self._stopping.add(stopping)
            stopping.add_done_callback(self._stopping.discard)


_Key = tuple[str, str, str, str, str, str]


def _key(name: str, settings: Settings, grant: str) -> _Key:
    return (name, settings.engine, settings.own_endpoint, settings.device, settings.precision, grant)
