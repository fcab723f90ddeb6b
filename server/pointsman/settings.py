"""Where things live and what the user chose: resolved once, frozen, passed down.

Knows folders and the user's `settings.toml`; knows nothing of policy, which has its own layers and rules.
"""

from __future__ import annotations

import math
import os
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import platformdirs

from pointsman.errors import ConfigError

EngineChoice = Literal["auto", "torch", "llama.cpp", "own"]
DeviceChoice = Literal["auto", "cpu", "cuda"]
Precision = Literal["nf4", "full"]
TargetChoice = Literal["auto", "local", "closed"]
PauseChoice = Literal["never", "battery", "load", "both"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """The four folders of an installation. Nothing is created here; `ensure` does that, 0700."""

    config: Path
    data: Path
    cache: Path
    run: Path

    @classmethod
    def resolve(cls, env: Mapping[str, str] | None = None) -> Paths:
        """`POINTSMAN_HOME` is the single root when set; else the platform's own folders."""
        env = os.environ if env is None else env
        if home := env.get("POINTSMAN_HOME"):
            try:
                root = Path(home).expanduser().absolute()
            except RuntimeError as error:  # ~NAME of nobody
                raise ConfigError(f"POINTSMAN_HOME={home} is the home of nobody here") from error
            return cls(config=root / "config", data=root / "data", cache=root / "cache", run=root / "run")
        dirs = platformdirs.PlatformDirs("pointsman", appauthor=False)
        data = Path(dirs.user_data_dir)
        # Without a runtime folder of the session, platformdirs falls back to a well-known name in /tmp, where another
        # user could be first.
        run = Path(env["XDG_RUNTIME_DIR"]) / "pointsman" if env.get("XDG_RUNTIME_DIR") else data / "run"
        return cls(config=Path(dirs.user_config_dir), data=data, cache=Path(dirs.user_cache_dir), run=run)

    def ensure(self) -> Paths:
        """Create all four for this user alone. Raises `ConfigError` when a folder cannot be made."""
        for folder in (self.config, self.data, self.cache, self.run):
            try:
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
                folder.chmod(0o700)
            except OSError as error:
                raise ConfigError(
                    f"cannot use {folder}: {error.strerror}", remedy="set POINTSMAN_HOME to a folder of yours"
                ) from error
        return self

    @property
    def models(self) -> Path:
        return self.data / "models"

    @property
    def indexes(self) -> Path:
        return self.data / "index"

    @property
    def audit(self) -> Path:
        return self.data / "audit"

    @property
    def audit_bodies(self) -> Path:
        return self.data / "audit-bodies"

    @property
    def quota(self) -> Path:
        return self.data / "quota.sqlite3"

    @property
    def usage(self) -> Path:
        return self.data / "usage.sqlite3"

    @property
    def applying(self) -> Path:
        """Journals of edits that are being written."""
        return self.data / "applying"

    @property
    def logs(self) -> Path:
        return self.cache / "log"

    @property
    def settings_file(self) -> Path:
        return self.config / "settings.toml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The user's choices, from `config/settings.toml`, then `POINTSMAN_<NAME>`, which wins."""

    completion_model: str = "smollm2-135m"
    """Catalogue name of the model that completes."""
    chat_model: str = ""
    """Catalogue name of the model that answers and refactors; "" means the completion model."""
    embedder: str = "code-minilm"
    """Catalogue name of the embedder."""
    engine: EngineChoice = "auto"
    """auto: torch where CUDA is; else llama.cpp when the model has a GGUF file; else torch."""
    own_endpoint: str = ""
    """Name of the policy's own endpoint to use with engine = "own"; "" means the first one."""
    device: DeviceChoice = "auto"
    precision: Precision = "nf4"
    """nf4: 4-bit weights by bitsandbytes; full: the weights' own precision."""
    hub_endpoint: str = ""
    """Base URL of the model hub, for a mirror of one's own; "" means HF_ENDPOINT, else the public hub."""
    store_url: str = ""
    """A Qdrant server for the indexes' vectors, written `store.url`; "" keeps them on this machine."""
    store_key: str = ""
    """Its API key by reference: keyring:NAME, env:NAME or file:PATH."""
    index_pause: PauseChoice = "never"
    """When embedding pauses, written `index.pause`: never, on battery, under load, or both."""
    target: TargetChoice = "auto"
    """Who does a refactor that does not say: policy's choice, always the local model, or the closed one where policy
    allows it."""
    record_usage: bool = True
    """Whether what becomes of suggestions is recorded, on this machine and without text, for `pointsman stats`."""
    idle_minutes: float = 15.0
    """The host exits after this long without a client."""
    completion_confidence: float = 0.0
    """How likely a suggestion must be wanted to be shown while typing: 0 shows all, 0.9 next to none."""
    max_completion_tokens: int = 64
    max_answer_tokens: int = 320

    @property
    def answering_model(self) -> str:
        return self.chat_model or self.completion_model

    @classmethod
    def load(cls, paths: Paths, env: Mapping[str, str] | None = None) -> Settings:
        """Read the file and the environment. Raises `ConfigError` that names the file or variable."""
        env = os.environ if env is None else env
        file, text = paths.settings_file, ""
        values: dict[str, Any] = {}
        if file.exists():
            try:
                text = file.read_text("utf-8")
                values = dict(_flat(tomllib.loads(text)))
            except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
                raise ConfigError(f"{file}: {error}") from error
        known = [f.name for f in fields(cls)]
        if unknown := next((key for key in values if key not in known), None):
            raise ConfigError(
                f"{_place(file, text, unknown)}: unknown setting {unknown!r}", remedy=_near(unknown, known)
            )
        resolved = {name: _coerce(name, value, _place(file, text, name)) for name, value in values.items()}
        for name in known:
            variable = f"POINTSMAN_{name.upper()}"
            if variable in env:
                resolved[name] = _coerce(name, env[variable], variable)
        return cls(**resolved)


def _flat(table: Mapping[str, Any], outer: str = "") -> Iterator[tuple[str, Any]]:
    """`store.url = …` and `[store] url = …` both set `store_url`."""
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{outer}{key}_")
        else:
            yield f"{outer}{key}", value


def _place(file: Path, text: str, name: str) -> str:
    """FILE:LINE of a setting, or FILE alone where no line shows it; a TOML reader tells no lines."""
    outer = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[([^\[\]]+)\]", line):
            outer = f"{header[1].strip()}."
        elif (key := re.match(r"""\s*([\w."'-]+)\s*=""", line)) and _plain(f"{outer}{key[1]}") == name:
            return f"{file}:{number}"
    return str(file)


def _plain(key: str) -> str:
    return re.sub("[\"']", "", key).replace(".", "_")


def _near(unknown: str, known: Sequence[str]) -> str:
    """What to write instead of an unknown setting, as the file takes it."""
    import difflib  # for a mistake alone

    near = difflib.get_close_matches(unknown, known, n=1)
    return f"did you mean {spelled(near[0])}?" if near else f"one of {', '.join(map(spelled, known))}"


def spelled(name: str) -> str:
    """A setting as `settings.toml` and its page call it."""
    return _DOTTED.get(name, name)


_DOTTED = {"store_url": "store.url", "store_key": "store.key", "index_pause": "index.pause"}


class SettingsFile:
    """The settings as they are now: read again when the file has changed, so that `models use` needs no restart."""

    def __init__(self, paths: Paths) -> None:
        self._paths = paths
        self._seen: tuple[int, int] | None = None
        self._settings: Settings | None = None

    def current(self) -> Settings:
        """Raises `ConfigError` as `Settings.load` does."""
        try:
            found = self._paths.settings_file.stat()
            stamp = (found.st_mtime_ns, found.st_size)
        except OSError:
            stamp = (0, 0)
        if self._settings is None or stamp != self._seen:
            self._settings, self._seen = Settings.load(self._paths), stamp
        return self._settings


_CHOICES: dict[str, tuple[str, ...]] = {
    "engine": ("auto", "torch", "llama.cpp", "own"),
    "device": ("auto", "cpu", "cuda"),
    "precision": ("nf4", "full"),
    "target": ("auto", "local", "closed"),
    "index_pause": ("never", "battery", "load", "both"),
}
_NUMBERS: dict[str, tuple[type[int] | type[float], float]] = {
    "idle_minutes": (float, 366 * 24 * 60),
    "max_completion_tokens": (int, 4096),
    "max_answer_tokens": (int, 1 << 17),
    "completion_confidence": (float, 1),
}
"""The type of each, and the largest value."""
_SHARES = ("completion_confidence",)
_SWITCHES = ("record_usage",)
_WORDS = {"true": True, "on": True, "1": True, "yes": True, "false": False, "off": False, "0": False, "no": False}


def _coerce(name: str, value: Any, where: str) -> Any:
    if name in _NUMBERS:
        return _number(name, value, where)
    if name in _SWITCHES:
        found = value if isinstance(value, bool) else _WORDS.get(str(value).lower())
        if found is None:
            raise ConfigError(f"{where}: {spelled(name)} must be true or false")
        return found
    if not isinstance(value, str):
        raise ConfigError(f"{where}: {spelled(name)} must be a string")
    if name in _CHOICES and value not in _CHOICES[name]:
        raise ConfigError(f"{where}: {spelled(name)} must be one of {', '.join(_CHOICES[name])}")
    return value


def _number(name: str, value: Any, where: str) -> int | float:
    kind, largest = _NUMBERS[name]
    try:
        # Text is what a variable holds; true would count as 1, and int() would cut off what follows the point.
        number = kind(value) if type(value) in (str, int, float) else math.nan
        sound = math.isfinite(number) and (isinstance(value, str) or number == value)
    except (ValueError, OverflowError):
        sound = False
    if not sound:
        raise ConfigError(f"{where}: {spelled(name)} must be a {'whole ' if kind is int else ''}number")
    if name in _SHARES and not 0 <= number <= largest:
        raise ConfigError(f"{where}: {spelled(name)} must be between 0 and {largest:g}")
    if name not in _SHARES and not 0 < number <= largest:
        raise ConfigError(f"{where}: {spelled(name)} must be above 0 and at most {largest:g}")
    return number
