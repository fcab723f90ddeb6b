"""`policy.toml` as strict, frozen values: unknown keys, wrong types and odd numbers are errors.

Two forms of the same file: `PolicyFile` may grant (organisation, user); `LimitFile` may only take away
(repository, `POINTSMAN_POLICY`). None always means "this layer says nothing about it". Knows nothing of files.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import re2
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from pointsman.policy import baseurl
from pointsman_indexer.exclude import is_pattern

Task = Literal["refactor", "chat"]
"""What may ever be asked of a closed model. Completion is not among them."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def _base_url(value: str) -> str:
    return baseurl.parse(value).url()


def _key_reference(value: str) -> str:
    kind, _, name = value.partition(":")
    if kind not in ("keyring", "env", "file") or not name:
        raise ValueError("must be a reference: keyring:NAME, env:NAME or file:PATH, never the key itself")
    return value


def _exclusion(value: str) -> str:
    if value.startswith(("!", "#")) or not value.strip():
        # A layer must not take back what another excludes, nor believe that a comment excludes anything.
        raise ValueError("must be a gitignore pattern that excludes: no ! or # at its start, not blank")
    if not is_pattern(value):
        raise ValueError("is not a gitignore pattern")
    return value


def _proxy(value: str) -> str:
    return baseurl.parse(value, proxy=True).url()


def _absolute(value: str) -> str:
    if not value.startswith("/") or "\0" in value:
        raise ValueError("must be an absolute path")
    return value


def _public_key(value: str) -> str:
    if re2.fullmatch(r"x25519:[0-9a-f]{64}", value) is None:
        raise ValueError("must be x25519: and 64 hexadecimal digits, as `pointsman audit keygen` prints it")
    return value


def _pattern(value: str) -> str:
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(value, options)
    except re2.error:
        raise ValueError("is not a valid RE2 pattern") from None
    return value


def _unique_names(entries: tuple[Any, ...]) -> tuple[Any, ...]:
    if len({entry.name for entry in entries}) != len(entries):
        raise ValueError("names an endpoint twice")
    return entries


Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Text = Annotated[str, Field(min_length=1, max_length=500)]
Model = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/@+-]{0,199}$")]
Url = Annotated[str, AfterValidator(_base_url)]
Proxy = Annotated[str, AfterValidator(_proxy)]
AbsolutePath = Annotated[str, AfterValidator(_absolute)]
PublicKey = Annotated[str, AfterValidator(_public_key)]
KeyReference = Annotated[str, AfterValidator(_key_reference)]
Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Money = Annotated[float, Field(ge=0, le=1e9, allow_inf_nan=False)]


class Price(_Strict):
    """US dollars a million tokens."""

    input: Money
    output: Money


class Endpoint(_Strict):
    """A closed endpoint that a granting layer lists."""

    name: Name
    base_url: Url
    region: Text
    models: Annotated[tuple[Model, ...], Field(min_length=1)]
    """The first is the default."""
    api: Literal["chat", "responses"] = "chat"
    key: KeyReference
    usd_per_mtok: Price
    limit: Literal["max_completion_tokens", "max_tokens"] = "max_completion_tokens"
    """What the chat API calls the limit on the answer: OpenAI renamed it, others kept the old name."""
    network: Literal["public", "private"] = "public"
    """private: the name may lead to addresses of one's own network; never to those of this machine or link."""
    proxy: Proxy | None = None
    """The only proxy that is used; those of the environment never are."""
    ca_file: AbsolutePath | None = None
    """Certificates to trust instead of the built-in ones, such as those of a proxy that opens TLS."""


class EndpointLimit(_Strict):
    """Keeps the endpoint of that name, narrowed to `models` when given; other fields must agree with the grant."""

    name: Name
    base_url: Url | None = None
    region: Text | None = None
    models: tuple[Model, ...] | None = None
    api: Literal["chat", "responses"] | None = None
    key: KeyReference | None = None
    """Ignored: a limiting layer never chooses a key."""
    limit: Literal["max_completion_tokens", "max_tokens"] | None = None
    network: Literal["public", "private"] | None = None
    proxy: Proxy | None = None
    ca_file: AbsolutePath | None = None
    usd_per_mtok: Price | None = None
    """Raises the price that the quota reckons with, never lowers it."""


class Quota(_Strict):
    """Upper limits by UTC day and month; None is no limit."""

    requests_per_day: Count | None = None
    requests_per_month: Count | None = None
    tokens_per_day: Count | None = None
    tokens_per_month: Count | None = None
    usd_per_day: Money | None = None
    usd_per_month: Money | None = None


class _Closed(_Strict):
    enabled: bool | None = None
    tasks: tuple[Task, ...] | None = None
    quota: Quota = Quota()


class Closed(_Closed):
    endpoints: Annotated[tuple[Endpoint, ...], AfterValidator(_unique_names)] = ()


class ClosedLimit(_Closed):
    endpoints: Annotated[tuple[EndpointLimit, ...], AfterValidator(_unique_names)] | None = None


class ClosedWhen(_Strict):
    """What counts as harder: what reaches any of these goes to the closed model when nobody asked for local."""

    min_lines: Count | None = None
    files: Count | None = None
    symbols: Count | None = None
    """Functions, methods and classes that the selection touches."""
    difficulty: Count | None = None
    """Branches and loops in the selection, each counted once more for every level that it is nested."""


class Route(_Strict):
    regions: tuple[Text, ...] | None = None
    closed_when: ClosedWhen | None = None
    local_paths: tuple[Annotated[Text, AfterValidator(_exclusion)], ...] = ()
    """gitignore patterns of files whose text the local model may see and no closed one."""


class Exclude(_Strict):
    paths: tuple[Annotated[Text, AfterValidator(_exclusion)], ...] = ()


class CustomRule(_Strict):
    name: Name
    pattern: Annotated[str, Field(min_length=1, max_length=1000), AfterValidator(_pattern)]
    """RE2; each group, when there are any, is what gets redacted."""


class Redact(_Strict):
    secrets: bool | None = None
    pii: bool | None = None
    custom: tuple[CustomRule, ...] = ()


class Review(_Strict):
    outbound: Literal["always", "first", "never"] | None = None
    edits: Literal["protected", "always"] | None = None


class Models(_Strict):
    licences: tuple[Text, ...] | None = None


class AuditLimit(_Strict):
    keep_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class Audit(AuditLimit):
    bodies_key: PublicKey | None = None
    """Keep every body that left, encrypted so that only the holder of this key's other half can read it."""


class OwnEndpoint(_Strict):
    """An inference server that the team runs itself: it may complete, and needs no gateway."""

    name: Name
    base_url: Url
    kind: Literal["llama.cpp", "openai"]
    model: Model
    key: KeyReference | None = None
    fill: Literal["card", "server"] = "card"
    """Whose markers stand around a hole: those of the model's card, or the server's own, by `/infill` or `suffix`."""


class OwnLimit(_Strict):
    name: Name


class Own(_Strict):
    endpoints: Annotated[tuple[OwnEndpoint, ...], AfterValidator(_unique_names)] = ()


class OwnLimits(_Strict):
    endpoints: Annotated[tuple[OwnLimit, ...], AfterValidator(_unique_names)] = ()


class _File(_Strict):
    version: Literal[1]
    local_only: bool | None = None
    """No connection to anywhere: no closed model, no own endpoint, no vector server, no model pulled."""
    route: Route = Route()
    exclude: Exclude = Exclude()
    redact: Redact = Redact()
    review: Review = Review()
    models: Models = Models()


class PolicyFile(_File):
    """A layer that may grant."""

    closed: Closed | None = None
    own: Own | None = None
    audit: Audit = Audit()


class LimitFile(_File):
    """A layer that may only take away."""

    closed: ClosedLimit | None = None
    own: OwnLimits | None = None
    audit: AuditLimit = AuditLimit()
