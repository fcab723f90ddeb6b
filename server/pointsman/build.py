"""The composition root: the only module that decides which class stands behind which Protocol.

Imports here are inside functions where they are slow, so that `serve` starts without the pipelines and the command
line without the host.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pointsman.lsp.services import Completer, Services
from pointsman.settings import Paths, Settings, SettingsFile

if TYPE_CHECKING:
    from pointsman.gateway.finder import Finder
    from pointsman.host.api import HostApi
    from pointsman.host.engines import Engines
    from pointsman.host.service import HostService


def build_server(
    paths: Paths, settings: Settings, *, in_process: bool, tcp: tuple[str, int] | None, verbose: int
) -> int:
    """Run the language server to its end; returns the exit code."""
    import logging

    from pointsman.lsp.app import create_server
    from pointsman.lsp.server import serve
    from pointsman.observe.logs import log_to_file, log_to_stderr

    log_to_file(paths.logs / "serve.log")
    if verbose:
        log_to_stderr(logging.DEBUG if verbose > 1 else logging.INFO)
    return serve(lambda: create_server(lambda: build_services(paths, settings, in_process=in_process)), tcp=tcp)


def build_services(paths: Paths, settings: Settings, *, in_process: bool = False, fixed: bool = False) -> Services:
    """The pipelines over the user's host, or over one of their own, which with `fixed` has `settings` for good."""
    from pointsman.chat.service import ChatService
    from pointsman.complete.gate import Gate
    from pointsman.complete.service import CompletionService
    from pointsman.host.client import HostClient
    from pointsman.observe.recorder import Recorder
    from pointsman.observe.store import Store
    from pointsman.observe.taste import Taste
    from pointsman.policy.trust import Trust
    from pointsman.refactor.service import RefactorService
    from pointsman.wiring.exclusions import exclusions_of
    from pointsman.wiring.router import PolicyRouter
    from pointsman_indexer.files import blob_of

    exclusions, router = exclusions_of(paths), PolicyRouter(paths)
    choices = SettingsFile(paths)
    alone = in_process or fixed
    host: HostClient | HostService = (
        build_host(paths, settings=(lambda: settings) if fixed else None) if alone else HostClient(paths)
    )
    api: HostApi = host
    store = Store(paths.usage)
    recorder = Recorder(store, lambda: _records_usage(choices))
    gate = Gate(settings.completion_confidence, Taste(paths.usage))
    completer = CompletionService(api, exclusions, settings, gate, _find_secrets)

    async def close() -> None:
        await completer.close()
        recorder.close()
        await asyncio.to_thread(store.close)
        await host.close()

    return Services(
        completer=completer,
        asker=ChatService(api, router, exclusions, settings, blob_of),
        refactorer=RefactorService(api, router, exclusions, settings, _find_secrets),
        host=api,
        recorder=recorder,
        trust=Trust(paths.config).trust,
        close=close,
    )


def _records_usage(choices: SettingsFile) -> bool:
    """False as well while the settings cannot be read: the user may have said no there."""
    from pointsman.errors import ConfigError

    try:
        return choices.current().record_usage
    except ConfigError:
        return False


def build_completer(paths: Paths, host: HostApi, settings: Settings) -> Completer:
    """A completion pipeline that has seen nothing, over a host that is there."""
    from pointsman.complete.gate import Gate
    from pointsman.complete.service import CompletionService
    from pointsman.wiring.exclusions import exclusions_of

    gate = Gate(settings.completion_confidence)
    return CompletionService(host, exclusions_of(paths), settings, gate, _find_secrets)


def _find_secrets(text: str) -> Sequence[tuple[int, int, str]]:
    """For suggestions, which have milliseconds: our own rules, without those that take seconds to load."""
    return _finder().find(text)


@cache
def _finder() -> Finder:
    from pointsman.gateway.finder import Finder

    return Finder(None, secrets=True, personal=False)


def build_engines(paths: Paths) -> Engines:
    """The engines alone, in this process."""
    from pointsman.host.engines import Engines
    from pointsman.wiring.maker import CatalogueMaker

    return Engines(SettingsFile(paths).current, CatalogueMaker(paths))


def build_host(
    paths: Paths, *, on_shutdown: Callable[[], None] = lambda: None, settings: Callable[[], Settings] | None = None
) -> HostService:
    """The host's object. It follows policy as its files change, and settings unless they are given."""
    from pointsman.gateway.gate import Gateway
    from pointsman.host import pause
    from pointsman.host.adaptations import Adaptations
    from pointsman.host.engines import Engines
    from pointsman.host.index_thread import Surroundings
    from pointsman.host.indexing import Indexes
    from pointsman.host.service import HostService
    from pointsman.policy import layers
    from pointsman.wiring.learner import ChildLearner
    from pointsman.wiring.maker import CatalogueMaker
    from pointsman.wiring.vectors import vector_server

    current = settings or SettingsFile(paths).current
    maker = CatalogueMaker(paths)
    engines = Engines(current, maker)

    def exclusions(root: Path) -> tuple[str, ...]:
        return layers.load(paths, root).excluded()

    return HostService(
        engines=engines,
        indexes=Indexes(
            paths.indexes,
            engines.embedder,
            Surroundings(
                exclusions=exclusions,
                store=lambda root: vector_server(paths, current(), root),
                pause=lambda: pause.reason(current().index_pause, pause.on_battery, pause.is_loaded),
            ),
            Adaptations(ChildLearner(maker, current), exclusions),
        ),
        gateway=Gateway(paths, lambda workspace: layers.load(paths, workspace)),
        on_shutdown=on_shutdown,
    )


def gguf_weights(paths: Paths, settings: Settings) -> tuple[Path | None, str]:
    """The completion model as one GGUF file, checked; or None, and why. Raises `ModelMissing`."""
    from pointsman.wiring.maker import CatalogueMaker

    maker = CatalogueMaker(paths)
    card = maker.card(settings.completion_model)
    if not card.gguf:
        return None, f"{card.name} has no GGUF file"
    return maker.checked(card) / card.gguf, ""
