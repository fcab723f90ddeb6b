"""What a rule is, and the tests that a match must pass.

The tables are `formats`, `credentials`, `places`, `pem` and `personal`. RE2 only, so that no text can make a scan slow.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import re2


def always(value: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """Each group of `pattern`, or the whole match when it has none, is redacted if `accept` agrees."""

    name: str
    pattern: Any
    accept: Callable[[str], bool] = always
    keywords: tuple[str, ...] = ()
    """Lower-case words, one of which occurs in every match, in any case; () when there is no such word."""
    shaped: bool = False
    """Known by its own shape, whatever stands around it."""
    groups: tuple[int, ...] = field(init=False)
    """Each is redacted by itself: the arguments of a call may hold several."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "groups", tuple(range(1, self.pattern.groups + 1)) or (0,))


def compiled(pattern: str) -> Any:
    """A pattern under RE2, silent about what it cannot read. Raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


def entropy(value: str) -> float:
    """Shannon entropy in bits a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


_PLACE = compiled(
    r"\{+[^{}]*\}+|\$\{?[A-Za-z_][\w.]*\}?|\$\([^()]*\)|<[^<>]*>|\[[^\[\]]*\]|%\(\w+\)s|%[sdrv]|%\w+%|[*xX.#_?-]+"
    r"|(?i:none|null|nil|true|false|undefined)|.*(?:\$\{|\{\{|%\(|\{\w*\}|\$\(|%[sdr]\b).*"
)
_INSTRUCTION = compiled(r"(?i)(?:your|my|the|some|an?|enter|insert|example|sample|dummy|fake)[ _-].*|.*(?:here|_name)")
_PATH = compiled(
    r"(?:[A-Za-z][a-z0-9+.-]*://|\.{0,2}/|~/|[A-Z]:\\).*|[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+|[A-Za-z_][\w.]*\(.*\)?"
    r"|--?[a-z][\w-]*"
    r"|[0-9.:]+|[a-z]+:[a-z]+=.*|\w+(?:\[[^\]]*\])+"
)
_TECHNICAL = compiled(
    r"(?i)(?:utf|sha|md|base|oauth|pkcs|latin|iso|rsa|aes|des|bcrypt|argon|scrypt|pbkdf|cp|hs|rs|es|ed|x|v|http|ipv)"
    r"[-_]?[0-9]+[\w.-]{0,12}|(?:password|passwd|secret|token|key|user|field|arg|param|test|foo|bar)[-_]?[0-9]?"
)
_IDENTIFIER = compiled(r"[A-Za-z]+[0-9]{0,2}(?:[ _.-][A-Za-z]+[0-9]{0,2})*")
_WEAK = compiled(r"(?i)(?:top|super|very|ultra|my)[_-]?(?:secret|password)\w*|change[_-]?(?:me|it)\w*")
_AFTER_A_STRING = " ,+)]}:;"
"""What code goes on with after a string: the quotes around such a value are the end of one and the start of another."""
_VERSION = compiled(r"[A-Za-z.]{0,12}[0-9]+(?:[.:_-][0-9A-Za-z]{1,6})*")
_SEPARATORS = compiled(r"[^A-Za-z]+")
_HYPHENATED = compiled(r"[a-z]{2,}(?:-[a-z]{2,}){1,5}")
_SYMBOLS = frozenset("!@#$%^&*?~")
_VOCABULARY = frozenset(
    (
        *(
            "password",
            "passwd",
            "passphrase",
            "passcode",
            "secret",
            "secrets",
            "token",
            "tokens",
            "apikey",
            "credential",
        ),
        *("credentials", "username", "user", "admin", "root", "string", "text", "str", "char", "varchar", "bytes"),
        *(
            "unicode",
            "hidden",
            "required",
            "optional",
            "none",
            "null",
            "prompt",
            "plain",
            "plaintext",
            "basic",
            "bearer",
        ),
        *("digest", "bcrypt", "argon", "scrypt", "default", "invalid", "incorrect", "wrong", "missing", "empty"),
        *("unknown", "value", "name", "field", "input", "label", "type", "true", "false", "keyring", "keychain"),
        *("environment", "env", "file", "stdin", "encrypted", "hashed", "changed", "reset", "login", "logout", "write"),
        *("read", "public", "private", "static", "const", "final", "return", "pass", "number", "integer", "object"),
        *("array", "boolean", "random", "generate", "generated", "database", "server", "client", "request", "response"),
        *("header", "cookie", "query", "body", "error", "warning", "option", "argument", "parameter", "example"),
        *("sample", "dummy", "test", "testing", "foobar", "yes", "no", "always", "never"),
    )
)
"""Words that stand beside a password and are none."""


def literal(value: str) -> bool:
    """Not a place for a value, such as `{password}`, `$TOKEN`, `<secret>` or `your-key-here`."""
    if _PLACE.fullmatch(value) is not None:
        return False
    return any(c.isdigit() for c in value) or _INSTRUCTION.fullmatch(value) is None


def mixed(value: str) -> bool:
    """Letters with digits or signs among them, and no path, call, version or name of a technique."""
    if len(value) < 4 or value[0] in _AFTER_A_STRING or not literal(value):
        return False
    if _PATH.fullmatch(value) is not None or _TECHNICAL.fullmatch(value) is not None:
        return False
    letters, digits = sum(c.isalpha() for c in value), sum(c.isdigit() for c in value)
    signs = sum(c in _SYMBOLS for c in value.rstrip("?:!."))
    return letters > 0 and (digits > 0 or signs > 0) and value.count(" ") <= 3


def password(value: str) -> bool:
    """What stands for a password beside a name that says so: anything but a place, a path or a word about passwords."""
    if mixed(value):
        return True
    if not literal(value) or _TECHNICAL.fullmatch(value) is not None:
        return False
    if value.isdigit():
        return len(value) >= 4
    words = value.lower().split()
    if len(words) > 1:  # a pass phrase: a sentence has stops or speaks of passwords
        plain = value.replace(" ", "").isalpha() and value.islower()
        return len(words) >= 4 and plain and not _VOCABULARY & set(words)
    if _WEAK.fullmatch(value) is not None:
        return True
    bare_words = [word for word in _SEPARATORS.sub(" ", value.lower().rstrip("!?.:")).split() if word.isalpha()]
    known = bool(_VOCABULARY & set(bare_words))
    if (
        len(value) >= 6
        and _SYMBOLS & set(value)
        and value[0].isalnum()
        and _PATH.fullmatch(value) is None
        and bare_words
    ):
        return not known
    return (value.isalpha() and len(value) >= 5 and not known) or (
        _HYPHENATED.fullmatch(value) is not None and len(value) >= 10 and not known
    )


def bare(value: str) -> bool:
    """A password without quotes: as `mixed`, and nothing that source code could have there."""
    return mixed(value) and not value.endswith((",", ")", ":", "{", "[", "(")) and "==" not in value.rstrip("=")


def random(value: str) -> bool:
    """Like a generated value: digits among letters, and no repetition."""
    return varied(value) and any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def varied(value: str) -> bool:
    """Like a generated value that may be of letters alone: no repetition."""
    return literal(value) and entropy(value) >= 3.0


def very_random(value: str) -> bool:
    """As `random`, and long or mixed enough to be no version, date or name with a number."""
    return random(value) and entropy(value) >= 3.3 and sum(c.isdigit() for c in value) >= 2


def token(value: str) -> bool:
    """As `mixed`, and no name with a number at its end: `abc987def654`, `rb-t0ken-9x`, not `client_id2`."""
    if not mixed(value) or entropy(value) < 2.5:
        return False
    return _IDENTIFIER.fullmatch(value) is None or sum(c.isdigit() for c in value) >= 3


def near(value: str) -> bool:
    """As `token`, of one word, with digits that no name or version would have there."""
    if len(value) < 6 or any(c.isspace() for c in value) or "/" in value or not any(c.isdigit() for c in value):
        return False
    return token(value) and _VERSION.fullmatch(value) is None
