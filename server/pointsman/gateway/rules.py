"""What a secret and a personal datum look like: a table of patterns, each with a test that its match must pass.

RE2 only, so that no text can make a scan slow. Formats of providers are matched by shape; values that only their
name gives away (`password = "…"`) must look like a value too.
"""

from __future__ import annotations

import ipaddress
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import re2


def _always(value: str) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """Group 1 of `pattern`, or the whole match when there is none, is what gets redacted if `accept` agrees."""

    name: str
    pattern: Any
    accept: Callable[[str], bool] = _always


def entropy(value: str) -> float:
    """Shannon entropy in bits a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


def compiled(pattern: str) -> Any:
    """A pattern under RE2, silent about what it cannot read. Raises `re2.error`."""
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)


_VARIABLE = compiled(r"\{[^{}]*\}|\$\{?[A-Za-z_][\w.]*\}?|\$\([^()]*\)|<[^<>]*>|%\(\w+\)s|%[sdr]|\*+|x+|X+|\.+")


def _literal(value: str) -> bool:
    """Not a place for a value, such as `{password}`, `$TOKEN` or `<secret>`."""
    return _VARIABLE.fullmatch(value) is None


def _random(value: str) -> bool:
    """Like a generated value: digits among letters, and no repetition."""
    return (
        _literal(value)
        and any(c.isdigit() for c in value)
        and any(c.isalpha() for c in value)
        and entropy(value) >= 3.0
    )


def _luhn(value: str) -> bool:
    """The checksum of payment cards (ISO/IEC 7812-1)."""
    digits = [int(c) for c in value if c.isdigit()]
    if not 13 <= len(digits) <= 19 or len(set(digits)) == 1:
        return False
    return sum(d if i % 2 == 0 else sum(divmod(2 * d, 10)) for i, d in enumerate(reversed(digits))) % 10 == 0


def _iban(value: str) -> bool:
    """The checksum of bank accounts (ISO 13616, modulo 97)."""
    text = value.replace(" ", "")
    return 15 <= len(text) <= 34 and int("".join(str(int(c, 36)) for c in text[4:] + text[:4])) % 97 == 1


def _public_address(value: str) -> bool:
    try:
        return ipaddress.ip_address(value).is_global
    except ValueError:
        return False


def _phone(value: str) -> bool:
    return 8 <= sum(c.isdigit() for c in value) <= 15


_NAME = (
    r"(?:pass(?:word|wd|phrase)|passwd|pwd|secret|token|api[_-]?key|apikey|access[_-]?key|auth[_-]?key|"
    r"private[_-]?key|signing[_-]?key|encryption[_-]?key|account[_-]?key|client[_-]?secret|credentials?)"
)
_PASSWORD = r"(?:pass(?:word|wd|phrase)|passwd|pwd)"
_ASSIGN = r"""["'`\]]?\s{0,4}(?::=|=>|={1,3}|:)\s{0,4}[rbuf]{0,2}["'`]"""

_SECRETS: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    (
        "private-key",
        r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
        r"(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
        _always,
    ),
    ("aws-access-key", r"\b((?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{16})\b", _always),
    (
        "aws-secret-key",
        r"(?i:aws|amz|secret)[\w\s'\"`:=>.-]{0,40}?['\"`=:\s]([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|\z)",
        _random,
    ),
    ("github-token", r"\b((?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{22,255}))", _always),
    ("gitlab-token", r"\b(gl(?:pat|dt|rt|ptt|cbt|agent|oas|soat|imt|ft)-[A-Za-z0-9_.-]{20,300})", _always),
    ("slack-token", r"\b((?:xox[abeoprs]|xapp)-[A-Za-z0-9-]{10,250})", _always),
    ("slack-webhook", r"(https://hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9+/_-]{20,100})", _always),
    ("stripe-key", r"\b((?:[rs]k_(?:live|test|prod)|whsec)_[A-Za-z0-9+/=]{10,200})", _always),
    ("ai-provider-key", r"\b(sk-(?:proj-|svcacct-|admin-|ant-[a-z0-9]{2,8}-|or-v1-)?[A-Za-z0-9_-]{20,250})", _random),
    ("google-api-key", r"\b(AIza[0-9A-Za-z_-]{35})", _always),
    ("google-oauth", r"\b((?:ya29\.|GOCSPX-)[0-9A-Za-z_-]{20,250})", _always),
    ("huggingface-token", r"\b((?:hf|api_org)_[A-Za-z0-9]{30,60})\b", _always),
    ("npm-token", r"\b(npm_[A-Za-z0-9]{36})\b", _always),
    ("pypi-token", r"\b(pypi-[A-Za-z0-9_-]{50,500})", _always),
    ("sendgrid-key", r"\b(SG\.[A-Za-z0-9_-]{16,64}\.[A-Za-z0-9_-]{16,64})", _always),
    ("twilio-key", r"\b((?:SK|AC)[0-9a-f]{32})\b", _always),
    ("mailgun-key", r"\b(key-[0-9a-f]{32})\b", _always),
    ("digitalocean-token", r"\b(do[opr]_v1_[a-f0-9]{64})\b", _always),
    ("telegram-token", r"\b([0-9]{8,10}:AA[A-Za-z0-9_-]{33})\b", _always),
    ("azure-account-key", r"(?i:AccountKey|SharedAccessKey)=([A-Za-z0-9+/]{40,100}={0,2})", _always),
    ("vault-token", r"\b(hv[sbr]\.[A-Za-z0-9_-]{24,300})", _always),
    ("age-key", r"\b(AGE-SECRET-KEY-1[A-Z0-9]{58})\b", _always),
    ("json-web-token", r"\b(eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?)", _always),
    ("authorization-header", r"(?i)\b(?:bearer|basic|token)\s+([A-Za-z0-9._~+/=-]{16,})", _random),
    ("url-password", r"\b[A-Za-z][A-Za-z0-9+.-]{1,20}://[^\s/:@'\"`<>\\]{0,200}:([^\s/@'\"`<>\\]{2,200})@", _literal),
    ("password", rf"(?i){_PASSWORD}[\w.-]{{0,30}}{_ASSIGN}([^\s\"'`\\]{{6,200}})[\"'`]", _literal),
    ("named-secret", rf"(?i){_NAME}[\w.-]{{0,30}}{_ASSIGN}([^\s\"'`\\]{{8,500}})[\"'`]", _random),
    (
        "environment-line",
        r"(?m)^\s{0,20}(?:export\s+)?[A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|PRIVATE_KEY)"
        r"[A-Z0-9_]{0,40}\s?[=:]\s?([^\s\"'`(){}\[\];,]{8,500})\s*$",
        _random,
    ),
)
_PERSONAL: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("e-mail", r"\b([A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24})\b", _always),
    ("card-number", r"\b([0-9](?:[ -]?[0-9]){12,18})\b", _luhn),
    ("bank-account", r"\b([A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)\b", _iban),
    ("public-address", r"\b((?:[0-9]{1,3}\.){3}[0-9]{1,3})\b", _public_address),
    ("phone-number", r"(\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{2,4}\)?){2,5})\b", _phone),
)

SECRETS = tuple(Rule(name, compiled(pattern), accept) for name, pattern, accept in _SECRETS)
PERSONAL = tuple(Rule(name, compiled(pattern), accept) for name, pattern, accept in _PERSONAL)
