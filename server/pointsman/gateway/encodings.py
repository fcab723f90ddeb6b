"""Runs of hexadecimal and base64 in a text that hide readable text, wherever in a run it begins.

Text shows in how its bytes are written: the first digit of printable ASCII in hexadecimal is 2 to 7, and each group of
base64 has only some letters at each place. UTF-16 has zeros between. Pure; offsets are code points.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator

import re2

_HEX_RUN = re2.compile(r"(?:\b0[xX])?[0-9A-Fa-f]{24,}(?:\s{1,40}[0-9A-Fa-f]{24,})*")
_BASE64_RUN = re2.compile(r"[A-Za-z0-9+/_-]{20,}(?:\s{1,40}[A-Za-z0-9+/_-]{20,})*={0,2}")
_HEX_OF_TEXT = re2.compile(r"(?:(?:[2-7][0-9A-Fa-f]|0[9AaDd])(?:00){0,3}){12,}")
_ANY = "[A-Za-z0-9+/_-]"
_BASE64_OF_TEXT = re2.compile(
    rf"(?:[CDI-Za-f][AC-HQS-Xgi-nwyz0-3][ABEFIJMNQRUVYZcdghklopstwx014589]{_ANY}){{4,}}"
    rf"|(?:[CDI-Za-f][AQgw][AB]{_ANY}A[AC-H][AEIMQUYcgkosw048]A){{3,}}"
)
_LARGEST_RUN = 1 << 16
_URL_SAFE = str.maketrans("-_", "+/")


def hidden_texts(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, what it decodes to) of each run, once for each alignment that reads as text."""
    for run_pattern, of_text, width, decode in (
        (_HEX_RUN, _HEX_OF_TEXT, 2, _from_hex),
        (_BASE64_RUN, _BASE64_OF_TEXT, 4, _from_base64),
    ):
        for match in run_pattern.finditer(text):
            start, end = match.span()
            if end - start > _LARGEST_RUN:
                continue
            digits = "".join(match.group().split())
            for shift in {found.start() % width for found in of_text.finditer(digits)}:
                yield start, end, decode(digits[shift:]).decode("utf-8", "replace")


def _from_hex(digits: str) -> bytes:
    digits = digits.replace("x", "0").replace("X", "0")
    return bytes.fromhex(digits[: len(digits) & ~1])


def _from_base64(letters: str) -> bytes:
    letters = letters.rstrip("=").translate(_URL_SAFE)
    if len(letters) % 4 == 1:
        letters = letters[:-1]
    return base64.b64decode(letters + "=" * (-len(letters) % 4))
