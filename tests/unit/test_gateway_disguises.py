"""Recall on made-up credentials, plain and disguised; what is masked still parses and comes back exactly."""

from __future__ import annotations

import ast
import base64
import hashlib
import random
import zlib

import pytest

from pointsman.gateway import views
from pointsman.gateway.finder import Finder, Kingfisher
from pointsman.gateway.redact import Redactor, nonce
from tests.credentials_in_code import CREDENTIALS_IN_CODE, ORDINARY_CODE
from tests.gateway_secrets import SECRETS
from tests.secret_samples import SHAPED, disguises, fill, samples


@pytest.fixture(scope="module")
def finder(kingfisher: Kingfisher) -> Finder:
    return Finder(kingfisher, secrets=True, personal=False)


def redactor(finder: Finder) -> Redactor:
    return Redactor(finder, nonce(b"machine secret", b"content"))


def test_at_least_nineteen_of_twenty_made_up_credentials_are_found(finder: Finder) -> None:
    made = list(samples(seed=11, each=1))
    missed = [s.kind for s in made if s.secret in redactor(finder).redact([s.text])[0]]
    assert len(missed) <= 0.05 * len(made), missed


@pytest.mark.parametrize("name", disguises("x" * 40))
def test_a_disguise_hides_nothing_and_stays_code(finder: Finder, name: str) -> None:
    dice, missed = random.Random(5), []
    for template in SHAPED:
        text = disguises(fill(template, dice))[name]
        ours = redactor(finder)
        (clean,) = ours.redact([text])
        missed += [template] * (clean == text)
        ast.parse(clean)
        assert ours.restore(clean) == text
    assert len(missed) <= 0.05 * len(SHAPED), missed


def test_an_id_of_letters_alone_is_found_and_a_placeholder_is_not(finder: Finder) -> None:
    key = "ASIA" + "XRLGQNBQRMKTSXFV"
    assert key not in redactor(finder).redact([f"k = '{key}'"])[0]
    plain = ["use('AKIA" + "XXXXXXXXXXXXXXXX')"]
    assert redactor(finder).redact(plain) == plain


def test_the_syntax_between_joined_literals_stays() -> None:
    view = views.folded("""f"ab" + 'cd'\u200b 'e\\x66'""")
    assert view is not None
    assert view.text == "f\"abcdef'" or view.text.startswith('f"abcd')
    at = view.text.index("abcd")
    assert view.origin(at, at + 4) == [(2, 4), (9, 11)]


def test_a_run_over_lines_needs_no_quotes(finder: Finder) -> None:
    secret = fill("ghp_{an36}", random.Random(3))
    (clean,) = redactor(finder).redact([f"see {secret[:20]}\n    {secret[20:]}\n# next line"])
    assert secret[:20] not in clean and secret[20:] not in clean and clean.endswith(" line")


def test_ordinary_credentials_in_code_are_found_and_ordinary_code_is_left_alone(finder: Finder) -> None:
    around = "import x\n\n{}\n\ny = 1\n"
    missed = [
        text
        for text, secret in CREDENTIALS_IN_CODE
        if secret in redactor(finder).redact([around.format(text) if "{" not in text else text])[0]
    ]
    assert len(missed) <= 0.06 * len(CREDENTIALS_IN_CODE), missed
    assert [text for text in ORDINARY_CODE if redactor(finder).redact([text]) != [text]] == []


def test_the_quick_views_are_exact_in_texts_of_many_bytes() -> None:
    view = views.folded("é€𝕏 'a\\x41' 'b'\u200bc %C3%A9!")
    assert view is not None and view.text == "é€𝕏 'aAbc é!".replace("bc", "b'c")
    at = view.text.index("A")
    assert view.origin(at, at + 1) == [(6, 10)]
    run = views.run_on("ü1\n   # ü2")
    assert run is not None and run.text == "ü1ü2" and run.origin(0, 4) == [(0, 2), (8, 10)]


_TOKEN = SECRETS["github-token"][1]
_HALF = len(_TOKEN) // 2


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _inside(char: str) -> str:
    return f"x = '{_TOKEN[:_HALF]}{char}{_TOKEN[_HALF:]}'"


def _each(form: str) -> str:
    return "x = '" + "".join(form.format(ord(char)) for char in _TOKEN) + "'"


_ENCODED = {
    "base64, a letter beyond ASCII before": _base64(f"Schlüssel: {_TOKEN}".encode()),
    "base64, a letter beyond ASCII after": _base64(f"{_TOKEN} für später".encode()),
    "base64, Latin-1": _base64(f"Schlüssel: {_TOKEN}".encode("latin-1")),
    "base64, UTF-16 with mark": _base64(_TOKEN.encode("utf-16")),
    "base64, UTF-16 little-endian": _base64(_TOKEN.encode("utf-16-le")),
    "base64, UTF-16 big-endian": _base64(f"Schlüssel: {_TOKEN}".encode("utf-16-be")),
    "base64, invisible inside": _base64(_inside("\u200b").encode()),
    "base64, between NULs": _base64(b"\0me\0" + _TOKEN.encode()),
    "base64, after another run": f"{_base64(bytes(range(200, 233)))}/{_base64(_TOKEN.encode())}",
    "hex, a letter beyond ASCII": f"Schlüssel: {_TOKEN}".encode().hex(),
    "hex, UTF-16": _TOKEN.encode("utf-16-le").hex(),
    "hex, a digit before": "a" + _TOKEN.encode().hex(),
    "hex, a digit after": _TOKEN.encode().hex() + "f",
    "hex, 0x": "0x" + _TOKEN.encode().hex(),
    **{f"base64, after a path, {n}": f"https://h.example/{'abcd'[:n]}/{_base64(_TOKEN.encode())}" for n in range(1, 5)},
    **{f"base64, after letters, {n}": f"{'abcd'[:n]}{_base64(_TOKEN.encode())}" for n in range(1, 5)},
}
_WRITTEN = {
    "NULs between": "x = '" + "\0".join(_TOKEN) + "'",
    **{f"U+{ord(char):04X} inside": _inside(char) for char in "\0\x01\x0b\x1b\x7f\x80\x9f\u115f\u1160\u3164\uffa0"},
    **{
        f"as {form}": _each(form)
        for form in (
            *("\\{:03o}", "\\0{:03o}", "\\U{:08x}", "\\u{{{:x}}}", "\\x{{{:x}}}", "\\x{:02x}", "\\u{:04X}"),
            *("&#{};", "&#x{:x};", "&#X{:04X};"),
        )
    },
}


@pytest.mark.parametrize("name", [*_ENCODED, *_WRITTEN])
def test_a_token_is_found_and_nothing_of_it_stays(finder: Finder, name: str) -> None:
    hidden = _ENCODED.get(name) or _WRITTEN[name]
    text = f"before = 1\n{hidden}\nafter = 2\n"
    ours = redactor(finder)
    (clean,) = ours.redact([text])
    assert clean.startswith("before = 1\n") and clean.endswith("\nafter = 2\n")
    left = clean.removeprefix("before = 1\n").removesuffix("\nafter = 2\n")
    assert left.count("POINTSMAN_SECRET_1_") == 1 and len(left) < 65
    assert ours.restore(clean) == text


_BYTES = zlib.compress(random.Random(2).randbytes(900))
_PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\1\0" + _BYTES
_HARMLESS = {
    "an image": f"src = 'data:image/png;base64,{_base64(_PNG)}'",
    "bytes": f"blob = '{_base64(_BYTES)}'",
    "bytes in hexadecimal": f"blob = '{_BYTES.hex()}'",
    "a hash": f"sha = '{hashlib.sha512(b'x').hexdigest()}'",
    "an integrity": f"integrity: sha512-{_base64(hashlib.sha512(b'x').digest())}",
    "text": f"x = '{_base64('Grüße an alle, die das lesen können'.encode())}'",
    "a path": "see /usr/share/documentation/examples/configuration/overview/introduction",
    "prose": "Über sieben Brücken mußt du gehn & sieben dunkle Jahre überstehn, \\1 and \\100 &#246;",
    "control characters": "\x1b[31mred\x1b[0m and a page\x0cbreak",
}


@pytest.mark.parametrize("name", _HARMLESS)
def test_what_is_only_encoded_stays(finder: Finder, name: str) -> None:
    assert redactor(finder).redact([_HARMLESS[name]]) == [_HARMLESS[name]]


def test_an_escape_of_several_characters_leads_back_to_all_of_them() -> None:
    view = views.folded("a\\147b\\U00000067c\\u{67}d&#95;e&#x5f;f\\1g\\U00110000")
    assert view is not None and view.text == "agbgcgd_e_f1g\ufffd"
    assert [view.origin(at, at + 1) for at in (1, 3, 5, 7, 9)] == [
        [(1, 5)],
        [(6, 16)],
        [(17, 23)],
        [(24, 29)],
        [(30, 36)],
    ]
