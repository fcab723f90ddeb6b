"""Every error that Pointsman raises on purpose.

    PointsmanError                 exit 1; message is for the user and holds no source text
    ├── UsageError                 exit 2; the request itself is wrong
    ├── PolicyRefusal              exit 3; policy does not allow it; `rule` says which line decided
    ├── NotFound                   exit 4; a file, model or record that is not there
    │   └── ModelMissing           exit 4; names the `models pull` that brings it
    ├── ConfigError                exit 1; a settings or policy file is wrong; names file and line
    ├── EngineError                exit 1; the model engine failed; the next request starts it again
    │   ├── EngineUnavailable      exit 1; it is starting, waiting to restart, or gave up
    │   ├── WontFit                exit 1; not enough memory; says what would fit
    │   └── OutOfMemory            exit 1; a model's process ran out of memory
    ├── HostError                  exit 1; the per-user host cannot be reached or broke off
    │   └── HostVersionMismatch    exit 1; another version's host is busy
    ├── GatewayError               exit 1; sending to a closed endpoint failed after the record was written
    │   └── EndpointDown           exit 1; all that may be used failed just now and rest; policy has no objection
    └── VerificationError          exit 1; a download, file or log does not match its hash

Who sees it: the command line prints `message` and `remedy` in one line on stderr; the language server shows
`message`; nobody is shown a traceback unless `-vv` asks for it.
"""

from __future__ import annotations


class PointsmanError(Exception):
    """Base of all deliberate errors.

    Args:
        message: one line for the user, free of source text, prompts and secrets.
        remedy: what to do about it, as a command or a sentence, or "" when nothing helps.
    """

    exit_code = 1
    code = "failed"
    record = ""
    """Number in the audit log of a request that had left the machine before this went wrong; "" when nothing left."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    @property
    def told(self) -> str:
        """`message`, and whether something had left."""
        return f"{self.message}; the request was sent, receipt {self.record}" if self.record else self.message

    def __str__(self) -> str:
        return f"{self.told} ({self.remedy})" if self.remedy else self.told


class UsageError(PointsmanError):
    exit_code = 2
    code = "usage"


class PolicyRefusal(PointsmanError):
    """Policy does not allow the request. `rule` names the deciding line, as `policy explain` prints it."""

    exit_code = 3
    code = "refused"

    def __init__(self, message: str, *, rule: str = "", remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.rule = rule


class NotFound(PointsmanError):
    exit_code = 4
    code = "not_found"


class ModelMissing(NotFound):
    code = "model_missing"


class ConfigError(PointsmanError):
    code = "config"


class EngineError(PointsmanError):
    code = "engine"


class EngineUnavailable(EngineError):
    code = "engine_unavailable"


class WontFit(EngineError):
    code = "wont_fit"


class OutOfMemory(EngineError):
    """A model's process ran out of memory, as it said itself before it ended."""

    code = "oom"


class HostError(PointsmanError):
    code = "host"


class HostVersionMismatch(HostError):
    code = "host_version"


class GatewayError(PointsmanError):
    code = "gateway"
    passing = False
    """Whether it may be over in a moment, so that the same request is worth another try."""
    wait = 0.0
    """Seconds that the endpoint asks for before that."""


class EndpointDown(GatewayError):
    """Nothing is sent: every endpoint that may be used failed just now, and is left alone for a while."""

    code = "endpoint_down"


class VerificationError(PointsmanError):
    code = "verification"


def by_code(code: str, message: str, *, remedy: str = "", rule: str = "", record: str = "") -> PointsmanError:
    """Rebuild an error that crossed a process boundary as `code`; an unknown code gives the base class."""
    kind = _BY_CODE.get(code, PointsmanError)
    if kind is PolicyRefusal:
        error: PointsmanError = PolicyRefusal(message, rule=rule, remedy=remedy)
    else:
        error = kind(message, remedy=remedy)
    error.record = record
    return error


def _subclasses(cls: type[PointsmanError]) -> list[type[PointsmanError]]:
    return [cls, *(s for c in cls.__subclasses__() for s in _subclasses(c))]


_BY_CODE = {c.code: c for c in _subclasses(PointsmanError)}
