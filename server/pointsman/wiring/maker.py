"""Engines of catalogue entries: which kind serves a model here, and what is checked before it may."""

from __future__ import annotations

from pathlib import Path

from pointsman.errors import WontFit
from pointsman.gateway import infill
from pointsman.models.base import Adaptation, Generator, TextEmbedder
from pointsman.models.card import Card, FillInTheMiddle
from pointsman.models.catalogue import check_roles, load_catalogue
from pointsman.models.fit import DEFAULT_CONTEXT, check_fit, hardware, runs_on_llama
from pointsman.models.store import ModelStore, check_licence
from pointsman.policy import layers
from pointsman.settings import Paths, Settings
from pointsman.wiring.own import OwnServers
from pointsman.worker.link import TorchEmbedder, TorchGenerator, TorchLink, embedder_spec, generator_spec
from pointsman.worker.llama_link import LlamaGenerator
from pointsman.worker.messages import EmbedderSpec


class CatalogueMaker:
    """Makes engines of catalogue entries. Called on threads, one at a time."""

    context = DEFAULT_CONTEXT

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._own = OwnServers(paths)
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
        if settings.engine == "own" and (entry := self._own.chosen(settings)).fill == "server":
            fim = infill.markers(files=entry.kind == "llama.cpp")
            return fim, (*card.special_tokens, *infill.MARKERS)
        return card.fim, card.special_tokens

    def grant(self, card: Card, settings: Settings) -> str:
        self._check_roles(settings)
        if settings.engine == "own" and card.name != settings.embedder:
            return repr(self._own.chosen(settings))
        self._check_licence(card)
        # Of the models that may share its process: a new version of any of them is another process.
        shared = (settings.completion_model, settings.embedder)
        return " ".join(map(self._store.version, shared if card.name in shared else (card.name,)))

    def admit(self, settings: Settings, workspace: str) -> None:
        if settings.engine == "own" and workspace:
            self._own.admit(settings, Path(workspace))

    def generator(self, card: Card, settings: Settings) -> Generator:
        kind = self._engine_for(card, settings)
        if kind == "own":
            return self._own.generator(card, settings, DEFAULT_CONTEXT)
        folder = self.checked(card)
        if kind == "llama.cpp":
            return LlamaGenerator(
                card=card,
                folder=folder,
                run_dir=self._paths.run,
                context=DEFAULT_CONTEXT,
                check_memory=lambda: self._check_memory(card, settings, kind),
                smaller=lambda: self._smaller(card, settings, kind),
            )
        return TorchGenerator(self._link(card, settings))

    def embedder(self, card: Card, settings: Settings, adaptation: Adaptation | None = None) -> TextEmbedder:
        writer = self.card(settings.completion_model)
        shared = self._engine_for(writer, settings) == "torch" and self._store.installed(writer.name)
        return TorchEmbedder(self._link(writer if shared else None, settings), adaptation)

    def adaptable(self, settings: Settings) -> EmbedderSpec:
        """The embedder as it ships, checked, for a child that lets it learn."""
        card = self.card(settings.embedder)
        return embedder_spec(card, self.checked(card))

    def _link(self, writer: Card | None, settings: Settings) -> TorchLink:
        """The torch process for a writer and, beside it, the embedder: one process owns the accelerator's memory."""
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
                    context=DEFAULT_CONTEXT,
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

    def checked(self, card: Card) -> Path:
        """The model's folder, once its licence is allowed and its files match their hashes."""
        self._check_licence(card)
        return self._store.verified_folder(card.name)

    def _check_roles(self, settings: Settings) -> None:
        check_roles(settings, self._catalogue)

    def _check_licence(self, card: Card) -> None:
        check_licence(card, layers.load(self._paths, None).licences)

    def _engine_for(self, card: Card, settings: Settings) -> str:
        if settings.engine != "auto":
            return settings.engine
        machine = hardware(device=settings.device)
        return "llama.cpp" if runs_on_llama(card, machine, settings.engine) else "torch"

    def _check_memory(self, card: Card, settings: Settings, engine: str, beside: Card | None = None) -> None:
        check_fit(
            card,
            hardware(device=settings.device),
            precision=settings.precision,
            engine="llama.cpp" if engine == "llama.cpp" else "torch",
            alternatives=self._catalogue.cards,
            beside=beside,
        )

    def _smaller(self, card: Card, settings: Settings, engine: str, beside: Card | None = None) -> str:
        try:
            self._check_memory(card, settings, engine, beside)
        except WontFit as error:
            return error.remedy
        return "choose a smaller model: pointsman models list"
