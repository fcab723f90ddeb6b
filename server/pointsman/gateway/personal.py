"""Personal data, each confirmed by a checksum, a register of numbers or the shape that the issuer gave it."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable

from pointsman.gateway.rules import Rule, always, compiled

_REGIONS = ("US", "GB", "DE", "FR")
"""Tried for a number that is called a phone number but has no country code."""


def _luhn(value: str) -> bool:
    """The checksum of payment cards (ISO/IEC 7812-1), of an issuer that exists."""
    digits = [int(c) for c in value if c.isdigit()]
    if not 13 <= len(digits) <= 19 or digits[0] not in (2, 3, 4, 5, 6) or len(set(digits)) == 1:
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
    """A number that a numbering plan knows."""
    import phonenumbers

    regions = (None,) if value.startswith("+") else _REGIONS
    for region in regions:
        try:
            if phonenumbers.is_valid_number(phonenumbers.parse(value, region)):
                return True
        except phonenumbers.NumberParseException:
            continue
    return False


def _social_security(value: str) -> bool:
    """The areas, groups and serials that the United States never give out are no numbers."""
    area, group, serial = value.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


_PERSONAL: tuple[tuple[str, tuple[str, ...], str, Callable[[str], bool]], ...] = (
    ("e-mail", ("@",), r"\b([A-Za-z0-9][A-Za-z0-9._%+-]{0,63}@(?:[A-Za-z0-9-]{1,63}\.){1,5}[A-Za-z]{2,24})\b", always),
    ("card-number", (), r"(?:^|[^\w.])([0-9](?:[ -]?[0-9]){12,18})\b", _luhn),
    ("bank-account", (), r"\b([A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?)\b", _iban),
    ("public-address", (), r"\b((?:[0-9]{1,3}\.){3}[0-9]{1,3})\b", _public_address),
    ("public-address-6", ("::",), r"(?i)(?:^|[^\w.:])([23][0-9a-f]{3}(?::[0-9a-f]{0,4}){2,7})\b", _public_address),
    ("phone-number", ("+",), r"(\+[1-9][0-9]{0,2}(?:[ .-]?\(?[0-9]{2,4}\)?){2,5})\b", _phone),
    (
        "phone-number-named",
        ("phone", "mobile", "tel", "fax"),
        r"(?i)(?:phone|mobile|\btel|\bfax)[\w \"'`.-]{0,20}[:=]\s{0,3}[\"'`]?(\(?[0-9][0-9() .-]{7,18}[0-9])\b",
        _phone,
    ),
    ("social-security-number", ("-",), r"\b([0-9]{3}-[0-9]{2}-[0-9]{4})\b", _social_security),
)

PERSONAL = tuple(
    Rule(name, compiled(pattern), accept, words, shaped=False) for name, words, pattern, accept in _PERSONAL
)
