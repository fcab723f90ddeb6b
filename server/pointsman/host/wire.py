"""How `HostApi` travels: newline-delimited JSON over the user's own socket.

    client → host   {"hello": {"version", "protocol", "environment"}}
    host → client   {"hello": {"version", "protocol", "environment", "pid", "leaving"}}
    client → host   {"id", "method", "params"}            {"cancel": id}
    host → client   {"id", "item"}*  then  {"id", "end"}   or  {"id", "result"}   or  {"id", "error"}

Knows the shapes, not the socket. JSON because both ends are ours and a person can read a capture.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import cattrs
from cattrs.errors import BaseValidationError

from pointsman import __version__
from pointsman.errors import HostError, PointsmanError, PolicyRefusal, UsageError, by_code
from pointsman.host import api
from pointsman.models.base import Finish, Piece
from pointsman.settings import Settings

PROTOCOL = 1
"""Raised when a message changes its meaning; the version already differs then, so it only guards development."""

GREETING_SECONDS = 10.0
"""Either end waits so long for the other's first line."""

MAX_LINE = 32 * 1024 * 1024
"""Bytes of one message: a 10 MB document and its escapes fit, an endless line does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    params: type[Any]
    result: Any
    """Type of the result, or of each item of a stream."""
    stream: bool = False


METHODS: dict[str, Method] = {
    "status": Method(params=api.Nothing, result=api.HostStatus),
    "model": Method(params=api.ModelParams, result=api.ModelFacts),
    "generate": Method(params=api.GenerateParams, result=Piece | Finish, stream=True),
    "index": Method(params=api.IndexParams, result=api.IndexProgress | api.IndexReport, stream=True),
    "adapt": Method(params=api.AdaptParams, result=api.AdaptProgress | api.AdaptReport, stream=True),
    "forget": Method(params=api.ForgetParams, result=api.ForgetReply),
    "search": Method(params=api.SearchParams, result=api.SearchReply),
    "outline": Method(params=api.OutlineParams, result=api.OutlineReply),
    "uses": Method(params=api.UsesParams, result=api.UsesReply),
    "in_scope": Method(params=api.InScopeParams, result=api.InScopeReply),
    "closed_preview": Method(params=api.ClosedRequest, result=api.ClosedPreview),
    "closed_send": Method(params=api.ClosedRequest, result=api.ClosedReply),
    "closed_stream": Method(params=api.ClosedRequest, result=api.ClosedPiece | api.ClosedReply, stream=True),
    "shutdown": Method(params=api.Nothing, result=api.Nothing),
}

_converter = cattrs.Converter(forbid_extra_keys=True)


def identity(env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What must be equal at both ends: the version, and the variables that settings and policy are read from.

    A host keeps the environment of whoever started it, so a client with another `POINTSMAN_POLICY`, or with another
    folder for its configuration, must not use it.
    """
    env = os.environ if env is None else env
    names = sorted(["POINTSMAN_POLICY", *(f"POINTSMAN_{field.name.upper()}" for field in fields(Settings))])
    values = [[name, env[name]] for name in names if name in env]
    if "POINTSMAN_HOME" not in env:
        usual = {"XDG_CONFIG_HOME": ".config", "XDG_DATA_HOME": ".local/share"}
        places = {name: str(Path(env.get("HOME", "")) / folder) for name, folder in usual.items()}
        values += [[name, env[name]] for name, place in places.items() if env.get(name) not in (None, "", place)]
    chosen = json.dumps(values)
    digest = hashlib.sha256(chosen.encode("utf-8", "surrogatepass")).hexdigest()
    return {"version": __version__, "protocol": PROTOCOL, "environment": digest}


def is_older(version: object) -> bool:
    """Whether a client's version is below ours. Such a client is turned away; a newer one replaces an idle host."""
    return isinstance(version, str) and _numbers(version) < _numbers(__version__)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "surrogatepass") + b"\n"


def decode(line: bytes) -> dict[str, Any]:
    """Raises `HostError` for anything but one JSON object; the message never quotes the line."""
    try:
        message = json.loads(line.decode("utf-8", "surrogatepass"))
    except (ValueError, RecursionError) as error:
        raise HostError("a message on the host's socket was not JSON") from error
    if not isinstance(message, dict):
        raise HostError("a message on the host's socket was not an object")
    return message


def to_plain(value: Any) -> Any:
    return _converter.unstructure(value)


def from_plain(value: Any, to: Any) -> Any:
    """Raises `UsageError` that names the type only: the value may be source text."""
    try:
        return _converter.structure(value, to)
    except (BaseValidationError, TypeError, ValueError, KeyError, AttributeError) as error:
        raise UsageError(f"malformed {getattr(to, '__name__', 'message')} on the host's socket") from error


def error_to_plain(error: PointsmanError) -> dict[str, str]:
    plain = {"code": error.code, "message": error.message, "remedy": error.remedy, "record": error.record}
    if isinstance(error, PolicyRefusal):
        plain["rule"] = error.rule
    return plain


def error_from_plain(plain: Any) -> PointsmanError:
    if not isinstance(plain, dict):
        return HostError("the host answered with a malformed error")
    text = {key: str(plain.get(key, "")) for key in ("code", "message", "remedy", "rule", "record")}
    return by_code(**text)
