"""The composition root: the only module that decides which class stands behind which Protocol.

Imports here are inside functions where they are slow, so that `serve` starts without the pipelines and the command
line without the host.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pointsman.lsp.services import Completer, Services
from pointsman.settings import Paths, Settings, SettingsFile

if TYPE_CHECKING:
    from pointsman.gateway.finder import Finder
    from pointsman.host.adaptations import Base
    from pointsman.host.api import AdaptProgress, AdaptReport, HostApi
    from pointsman.host.engines import Engines
    from pointsman.host.service import HostService
    from pointsman.models.base import Adaptation, Generator, TextEmbedder
    from pointsman.models.card import Card, FillInTheMiddle
    from pointsman.policy.schema import OwnEndpoint as OwnEntry
    from pointsman.policy.schema import Quota
    from pointsman.routed import RouteTaken, Target
    from pointsman.worker.link import TorchLink
    from pointsman.worker.messages import EmbedderSpec
    from pointsman_indexer import Exclusions

_CONTEXT = 4096
"""Tokens of prompt and answer that an engine keeps room for: the pipelines' budgets lie well below."""


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

    exclusions, router = _exclusions_of(paths), _Router(paths)
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
        asker=ChatService(api, router, exclusions, settings, _blob_of),
        refactorer=RefactorService(api, router, exclusions, settings),
        host=api,
        recorder=recorder,
        trust=Trust(paths.config).trust,
        close=close,
    )


def _blob_of(root: Path, path: str) -> str | None:
    from pointsman_indexer.files import read

    try:
        found = read(root, path)
    except OSError:
        return None
    return found.blob if found else None


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

    gate = Gate(settings.completion_confidence)
    return CompletionService(host, _exclusions_of(paths), settings, gate, _find_secrets)


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

    return Engines(SettingsFile(paths).current, _Maker(paths))


def build_host(
    paths: Paths, *, on_shutdown: Callable[[], None] = lambda: None, settings: Callable[[], Settings] | None = None
) -> HostService:
    """The host's object. It follows policy as its files change, and settings unless they are given."""
    from pointsman.gateway.gate import Gateway
    from pointsman.host import pause
    from pointsman.host.adaptations import Adaptations
    from pointsman.host.engines import Engines
    from pointsman.host.indexing import Indexes
    from pointsman.host.repository import Surroundings
    from pointsman.host.service import HostService
    from pointsman.policy import layers

    current = settings or SettingsFile(paths).current
    maker = _Maker(paths)
    engines = Engines(current, maker)

    def exclusions(root: Path) -> tuple[str, ...]:
        return layers.load(paths, root).exclude

    return HostService(
        engines=engines,
        indexes=Indexes(
            paths.indexes,
            engines.embedder,
            Surroundings(
                exclusions=exclusions,
                store=lambda root: _vector_server(paths, current(), root),
                pause=lambda: pause.reason(current().index_pause, pause.on_battery, pause.is_loaded),
            ),
            Adaptations(_Learner(maker, current), exclusions),
        ),
        gateway=Gateway(paths, lambda workspace: layers.load(paths, workspace)),
        on_shutdown=on_shutdown,
    )


def gguf_weights(paths: Paths, settings: Settings) -> tuple[Path | None, str]:
    """The completion model as one GGUF file, checked; or None, and why. Raises `ModelMissing`."""
    maker = _Maker(paths)
    card = maker.card(settings.completion_model)
    if not card.gguf:
        return None, f"{card.name} has no GGUF file"
    return maker.checked(card) / card.gguf, ""


def _vector_server(paths: Paths, settings: Settings, root: Path) -> tuple[str, str]:
    """URL and API key of the Qdrant server that the user chose; ("", "") for none, or where policy wants no other."""
    from pointsman.gateway import keys
    from pointsman.policy import layers

    if settings.store_url and layers.load(paths, root).nothing_out:
        return "", ""
    key = keys.resolve(settings.store_key).reveal() if settings.store_url and settings.store_key else ""
    return settings.store_url, key


def _exclusions_of(paths: Paths) -> Callable[[Path], Exclusions]:
    """What may not be looked at below a root: the index's rules and the policy's, as they are now."""
    from pointsman.errors import ConfigError
    from pointsman.policy import layers
    from pointsman_indexer import Exclusions, ExclusionsInvalid

    def exclusions(root: Path) -> Exclusions:
        try:
            return Exclusions(root, layers.load(paths, root).exclude)
        except ExclusionsInvalid as error:
            raise ConfigError(str(error)) from error

    return exclusions


class _Router:
    """What the pipelines that may reach a closed model see of policy. The gateway asks again before anything leaves."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths

    def decide(
        self,
        task: str,
        root: Path,
        lines: int,
        files: int,
        target: Target,
        *,
        symbols: int = 0,
        difficulty: int = 0,
        paths: tuple[str, ...] = (),
    ) -> RouteTaken:
        from pointsman.gateway import records
        from pointsman.gateway.prepare import kept_local
        from pointsman.policy import layers
        from pointsman.policy.route import Facts, preferring
        from pointsman.routed import RouteTaken

        policy = layers.load(self._paths, root)
        facts = Facts(
            task=task,
            lines=lines,
            files=files,
            symbols=symbols,
            difficulty=difficulty,
            local_data=bool(policy.local_paths) and kept_local(root, paths, policy.local_paths),
            target=target,
            trusted=policy.trusted,
            quota_left=self._quota_left(policy.quota) if policy.enabled else None,
        )
        decision = preferring(Settings.load(self._paths).target, facts, policy)
        if decision.target == "refused":
            self._record(records.unasked(task, root, paths, decision.rule, policy.sha256))
        return RouteTaken(
            target=decision.target,
            model=decision.model,
            reason=decision.reason,
            endpoint=decision.endpoint.name if decision.endpoint else "",
            rule=decision.rule,
        )

    def may_leave(self, root: Path, paths: frozenset[str]) -> frozenset[str]:
        from pointsman.gateway.prepare import kept_local
        from pointsman.policy import layers

        patterns = layers.load(self._paths, root).local_paths
        return frozenset(path for path in paths if not (patterns and kept_local(root, (path,), patterns)))

    def wants_review(self, root: Path | None) -> bool:
        from pointsman.policy import layers

        return layers.load(self._paths, root).review_edits == "always"

    def _record(self, refused: dict[str, Any]) -> None:
        """The closed model was asked for by name, which no gateway will hear of. The no stands, recorded or not."""
        import contextlib

        from pointsman.errors import PointsmanError
        from pointsman.gateway.audit import AuditLog

        with contextlib.suppress(PointsmanError):
            AuditLog(self._paths.audit).append("refused", refused)

    def _quota_left(self, limits: Quota) -> bool | None:
        """None when it cannot be said: the gateway, which reserves, then says no."""
        from pointsman.errors import GatewayError
        from pointsman.gateway.quota import QuotaStore

        try:
            return QuotaStore(self._paths.quota).left(limits)
        except GatewayError:
            return None


class _Learner:
    """`Learner` by the adapting child."""

    def __init__(self, maker: _Maker, settings: Callable[[], Settings]) -> None:
        self._maker = maker
        self._settings = settings

    def base(self) -> Base:
        from pointsman.host.adaptations import Base

        card = self._maker.card(self._settings().embedder)
        weights = {file.name: file.sha256 for file in card.files}
        return Base(
            name=card.name,
            base_sha256=weights.get("model.safetensors", ""),
            adapter_sha256=card.adapter_sha256,
        )

    async def learn(
        self, root: Path, exclude: Sequence[str], seconds: float, used: Adaptation | None
    ) -> AsyncGenerator[AdaptProgress | tuple[AdaptReport, bytes], None]:
        import contextlib

        from pointsman.host.api import AdaptProgress, AdaptReport
        from pointsman.worker import messages as m
        from pointsman.worker.adapt_link import adapt

        spec = await asyncio.to_thread(self._maker.adaptable, self._settings())
        order = m.Adapt(
            root=str(root),
            exclude=tuple(exclude),
            embedder=spec,
            base_sha256=self.base().base_sha256,
            seconds=seconds,
            head=str(used.file) if used else "",
            head_sha256=used.sha256 if used else "",
        )
        async with contextlib.aclosing(adapt(order)) as said:
            async for message in said:
                if isinstance(message, m.Step):
                    yield AdaptProgress(stage=message.stage, done=message.done, total=message.total)
                    continue
                report = AdaptReport(
                    kept=bool(message.data),
                    pairs=message.pairs,
                    kinds=message.kinds,
                    held_out=message.held_out,
                    before=message.before,
                    after=message.after,
                    gain=message.gain,
                    seconds=message.seconds,
                    earlier=message.earlier,
                    removed=not message.data and message.earlier is not None and not message.earlier_holds,
                )
                yield report, m.unpack_bytes(message)


class _Maker:
    """Makes engines of catalogue entries. Called on threads, one at a time."""

    context = _CONTEXT

    def __init__(self, paths: Paths) -> None:
        from pointsman.models.catalogue import load_catalogue
        from pointsman.models.store import ModelStore

        self._paths = paths
        self._catalogue = load_catalogue()
        self._store = ModelStore(paths, self._catalogue)
        self._links: dict[tuple[Path | None, Path | None, str, str], TorchLink] = {}

    def card(self, name: str) -> Card:
        return self._catalogue.get(name)

    def ensure_installed(self, card: Card, settings: Settings) -> None:
        self._check_roles(settings)
        if settings.engine != "own":
            self._store.folder(card.name)

    def markers(self, card: Card, settings: Settings) -> tuple[FillInTheMiddle | None, tuple[str, ...]]:
        from pointsman.gateway import infill

        if settings.engine == "own" and (entry := self._own_entry(settings)).fill == "server":
            fim = infill.markers(files=entry.kind == "llama.cpp")
            return fim, (*card.special_tokens, *infill.MARKERS)
        return card.fim, card.special_tokens

    def grant(self, card: Card, settings: Settings) -> str:
        self._check_roles(settings)
        if settings.engine == "own" and card.name != settings.embedder:
            return repr(self._own_entry(settings))
        self._check_licence(card)
        # Of the models that may share its process: a new version of any of them is another process.
        shared = (settings.completion_model, settings.embedder)
        return " ".join(map(self._store.version, shared if card.name in shared else (card.name,)))

    def admit(self, settings: Settings, workspace: str) -> None:
        from pointsman.errors import PolicyRefusal
        from pointsman.policy import layers
        from pointsman.policy.baseurl import loopback

        if settings.engine != "own" or not workspace:
            return
        entry, policy = self._own_entry(settings), layers.load(self._paths, Path(workspace))
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

    def generator(self, card: Card, settings: Settings) -> Generator:
        kind = self._engine_for(card, settings)
        if kind == "own":
            return self._own(card, settings)
        folder = self.checked(card)
        if kind == "llama.cpp":
            from pointsman.worker.llama_link import LlamaGenerator

            return LlamaGenerator(
                card=card,
                folder=folder,
                run_dir=self._paths.run,
                context=_CONTEXT,
                check_memory=lambda: self._check_memory(card, settings, kind),
                smaller=lambda: self._smaller(card, settings, kind),
            )
        from pointsman.worker.link import TorchGenerator

        return TorchGenerator(self._link(card, settings))

    def embedder(self, card: Card, settings: Settings, adaptation: Adaptation | None = None) -> TextEmbedder:
        from pointsman.worker.link import TorchEmbedder

        writer = self.card(settings.completion_model)
        shared = self._engine_for(writer, settings) == "torch" and self._store.installed(writer.name)
        return TorchEmbedder(self._link(writer if shared else None, settings), adaptation)

    def adaptable(self, settings: Settings) -> EmbedderSpec:
        """The embedder as it ships, checked, for a child that lets it learn."""
        from pointsman.worker.link import embedder_spec

        card = self.card(settings.embedder)
        return embedder_spec(card, self.checked(card))

    def _link(self, writer: Card | None, settings: Settings) -> TorchLink:
        """The torch process for a writer and, beside it, the embedder: one process owns the accelerator's memory."""
        from pointsman.worker.link import TorchLink, embedder_spec, generator_spec

        embedder = self.card(settings.embedder)
        beside = writer is None or (writer.name == settings.completion_model and self._store.installed(embedder.name))
        # A folder is one version of one model: after a pull or a rollback it is another process.
        writer_at = self.checked(writer) if writer else None
        embedder_at = self.checked(embedder) if beside else None
        key = (writer_at, embedder_at, settings.device, settings.precision)
        if key not in self._links:
            leading, other = (writer, embedder if beside else None) if writer else (embedder, None)
            self._links[key] = TorchLink(
                generator=generator_spec(
                    writer,
                    writer_at,
                    precision=settings.precision,
                    context=_CONTEXT,
                    gguf_sha256=self._store.sha256(writer.name, writer_at, writer.gguf),
                )
                if writer and writer_at
                else None,
                embedder=embedder_spec(embedder, embedder_at) if embedder_at else None,
                device=settings.device,
                cache_dir=self._paths.cache / "converted",
                check_memory=lambda: self._check_memory(leading, settings, "torch", other),
                smaller=lambda: self._smaller(leading, settings, "torch", other),
            )
        return self._links[key]

    def _own(self, card: Card, settings: Settings) -> Generator:
        from pointsman.gateway import keys
        from pointsman.gateway.own import OwnEndpoint

        entry = self._own_entry(settings)
        return OwnEndpoint(
            name=entry.name,
            base_url=entry.base_url,
            kind=entry.kind,
            model=entry.model,
            context=min(card.context_length, _CONTEXT),
            markers=card.special_tokens,
            key=keys.resolve(entry.key).reveal() if entry.key else "",
        )

    def _own_entry(self, settings: Settings) -> OwnEntry:
        from pointsman.errors import ConfigError
        from pointsman.policy import layers

        listed = layers.load(self._paths, None).own
        chosen = [entry for entry in listed if settings.own_endpoint in ("", entry.name)]
        if not chosen:
            raise ConfigError(
                "policy lists no such own endpoint" if listed else "policy lists no own endpoint",
                remedy="add one under [[own.endpoints]] in policy.toml, or: pointsman models use NAME --engine auto",
            )
        return chosen[0]

    def checked(self, card: Card) -> Path:
        """The model's folder, once its licence is allowed and its files match their hashes."""
        self._check_licence(card)
        return self._store.verified_folder(card.name)

    def _check_roles(self, settings: Settings) -> None:
        from pointsman.models.catalogue import check_roles

        check_roles(settings, self._catalogue)

    def _check_licence(self, card: Card) -> None:
        from pointsman.models.store import check_licence
        from pointsman.policy import layers

        check_licence(card, layers.load(self._paths, None).licences)

    def _engine_for(self, card: Card, settings: Settings) -> str:
        from pointsman.models.fit import hardware
        from pointsman.worker.llama_link import lacks_openmp

        if settings.engine != "auto":
            return settings.engine
        return "torch" if hardware(device=settings.device).cuda or not card.gguf or lacks_openmp() else "llama.cpp"

    def _check_memory(self, card: Card, settings: Settings, engine: str, beside: Card | None = None) -> None:
        from pointsman.models.fit import check_fit, hardware

        check_fit(
            card,
            hardware(device=settings.device),
            precision=settings.precision,
            engine="llama.cpp" if engine == "llama.cpp" else "torch",
            alternatives=self._catalogue.cards,
            context=_CONTEXT,
            beside=beside,
        )

    def _smaller(self, card: Card, settings: Settings, engine: str, beside: Card | None = None) -> str:
        from pointsman.errors import WontFit

        try:
            self._check_memory(card, settings, engine, beside)
        except WontFit as error:
            return error.remedy
        return "choose a smaller model: pointsman models list"
