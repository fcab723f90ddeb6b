"""Redaction: what is found, what it is replaced with, and what turns back."""

from __future__ import annotations

import ast
import base64
import hashlib
import json
import random
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pointsman.errors import GatewayError
from pointsman.gateway.finder import Finder, Kingfisher
from pointsman.gateway.redact import Redactor, nonce
from pointsman.policy.schema import CustomRule
from tests.gateway_secrets import PERSONAL, SECRETS


@pytest.fixture(scope="module")
def finder(kingfisher: Kingfisher) -> Finder:
    return Finder(kingfisher, secrets=True, personal=True)


def redactor(finder: Finder, seed: bytes = b"content") -> Redactor:
    return Redactor(finder, nonce(b"machine secret", seed))


@pytest.mark.parametrize("kind", SECRETS)
@pytest.mark.parametrize("around", ["{}", "é = 1\n{}\n# kingfisher:ignore\n", '{{"a": "𝕏", "b": {}}}'])
def test_each_kind_is_replaced_and_comes_back(finder: Finder, kind: str, around: str) -> None:
    text, secret = SECRETS[kind]
    text = around.format(text)
    ours = redactor(finder)
    (clean,) = ours.redact([text])
    assert secret not in clean
    assert ours.restore(clean) == text
    ours.check(json.dumps({"content": clean}, ensure_ascii=False).encode())


@pytest.mark.parametrize("kind", SECRETS)
def test_the_last_look_finds_what_was_missed(finder: Finder, kind: str) -> None:
    body = json.dumps({"a": [{"content": f"x\n{SECRETS[kind][0]}\ny"}]}, ensure_ascii=False)
    with pytest.raises(GatewayError, match="remain"):
        redactor(finder).check(body.encode())


def test_the_last_look_reads_keys_too(finder: Finder) -> None:
    with pytest.raises(GatewayError, match="remain"):
        redactor(finder).check(json.dumps({SECRETS["github-token"][1]: 1}).encode())


@pytest.mark.parametrize("kind", PERSONAL)
def test_personal_data_is_replaced_only_when_asked_for(kingfisher: Kingfisher, kind: str) -> None:
    text, value = PERSONAL[kind]
    (clean,) = redactor(Finder(kingfisher, secrets=True, personal=True)).redact([text])
    assert value not in clean
    assert redactor(Finder(kingfisher, secrets=True, personal=False)).redact([text]) == [text]


@pytest.mark.parametrize("text", ["card = 4111111111111112", "iban = 'DE00500105175407324931'", "host = '127.0.0.1'"])
def test_what_fails_its_checksum_is_no_personal_datum(finder: Finder, text: str) -> None:
    assert redactor(finder).redact([text]) == [text]


def test_the_same_secret_has_one_placeholder_wherever_it_stands(finder: Finder) -> None:
    text, secret = SECRETS["github-token"]
    first, second = redactor(finder).redact([f"{text}\n{text}", f"see {secret}"])
    (placeholder,) = set(first.replace("token = ", "").replace("'", "").split())
    assert placeholder in second


def test_a_value_found_by_its_name_is_replaced_without_it_too(finder: Finder) -> None:
    first, second = redactor(finder).redact(["password = 'xk29-qqpz-771'", "mysql -u me xk29-qqpz-771"])
    assert "xk29" not in first + second


def test_a_value_that_a_formatter_put_into_parentheses_is_replaced(finder: Finder) -> None:
    key, word = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYzzEXAMPLEQ", "Tr0ub4dor&3xyz9"
    wrapped = f'aws_secret_access_key = (\n    "{key}"\n)\npassword = (\n        "{word}"\n)\n'
    (shown,) = redactor(finder).redact([wrapped])
    assert "wJalr" not in shown and "Tr0ub4dor" not in shown and shown.count("(\n") == 2


def test_a_secret_that_looks_like_a_part_of_placeholders(finder: Finder) -> None:
    ours = redactor(finder)
    text = "password = 'SECRET_1'\npassword = 'POINTSMAN_SECRET_1_'\n" + SECRETS["stripe-key"][0]
    (clean,) = ours.redact([text])
    assert ours.restore(clean) == text
    ours.check(json.dumps([clean]).encode())


def test_forged_placeholders_stay_as_they_are(finder: Finder) -> None:
    ours = redactor(finder)
    forged = "POINTSMAN_SECRET_1_0123456789abcdef POINTSMAN_SECRET_1_ POINTSMAN_SECRET_99"
    (clean,) = ours.redact([f"{forged}\n{SECRETS['stripe-key'][0]}"])
    other = redactor(finder, b"another request")
    assert forged in clean
    assert ours.restore(forged) == forged
    assert other.restore(clean) == clean


def test_text_that_knows_the_nonce_is_not_sent(finder: Finder) -> None:
    ours = redactor(finder)
    with pytest.raises(GatewayError, match="placeholder"):
        ours.redact(["fine", f"POINTSMAN_SECRET_1_{ours.nonce}"])


def test_custom_patterns_replace_their_group(kingfisher: Kingfisher) -> None:
    rules = (
        CustomRule(name="ticket", pattern="ACME-[0-9]{5}"),
        CustomRule(name="host", pattern=r"host=([a-z]+)\.internal"),
        CustomRule(name="nothing", pattern="z*"),
    )
    ours = redactor(Finder(kingfisher, secrets=False, personal=False, custom=rules))
    (clean,) = ours.redact(["ACME-12345 host=payroll.internal"])
    assert clean == f"POINTSMAN_SECRET_1_{ours.nonce} host=POINTSMAN_SECRET_2_{ours.nonce}.internal"
    assert ours.rules == ("custom.host", "custom.ticket")


@pytest.mark.parametrize(
    "text",
    [
        "@app.route('/')\n@pytest.fixture\ndef f(): pass",
        "url = f'postgres://{user}:{password}@{host}/db'",
        "password = '${PASSWORD}'\ntoken = '<your token>'\nsecret: str",
        "def get_token(request): return request.headers['Authorization']",
        "sha = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'",
    ],
)
def test_ordinary_code_stays_as_it_is(finder: Finder, text: str) -> None:
    ours = redactor(finder)
    assert ours.redact([text]) == [text]
    ours.check(json.dumps({"content": text}).encode())


def test_the_standard_library_is_almost_free_of_findings_and_stays_parseable(finder: Finder) -> None:
    lines = findings = 0
    for name in ("argparse", "asyncio/base_events", "http/client", "json/decoder", "smtplib", "ssl", "urllib/request"):
        text = (Path(sys.base_prefix) / "lib" / f"python3.{sys.version_info.minor}" / f"{name}.py").read_text()
        ours = redactor(finder)
        (clean,) = ours.redact([text])
        ast.parse(clean)
        assert ours.restore(clean) == text
        lines, findings = lines + text.count("\n"), findings + ours.count
    assert findings / lines < 0.002, f"{findings} in {lines} lines"


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from([text for text, _ in SECRETS.values()]) | st.text(max_size=40), max_size=6))
def test_whatever_is_redacted_comes_back_whole(finder: Finder, parts: list[str]) -> None:
    text = "\n".join(parts).encode("utf-8", "replace").decode()
    ours = redactor(finder)
    (clean,) = ours.redact([text])
    assert ours.restore(clean) == text
    ours.check(json.dumps([clean], ensure_ascii=False).encode())


def test_a_failing_scanner_lets_nothing_out(kingfisher: Kingfisher, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def scan(self, data: bytes, timeout: float) -> list[object]:
            raise TimeoutError

    broken = Kingfisher(Path("/nonexistent"))
    monkeypatch.setattr(broken, "_scanner", Broken())
    with pytest.raises(GatewayError, match="TimeoutError"):
        redactor(Finder(broken, secrets=True, personal=False)).redact(["text"])


def test_a_text_of_secrets_alone_is_refused_soon(finder: Finder) -> None:
    with pytest.raises(GatewayError, match="more than"):
        redactor(finder).redact(["".join(f"password = 'xk{n:05d}-qqpz'\n" for n in range(3000))])
    (clean,) = redactor(finder).redact(["password = 'xk29-qqpz-771' " * 3000])
    assert "xk29" not in clean


_PRIVATE = "PRIVATE " + "KEY"


def _wrapped(width: int, count: int = 12, tail: int = 30, start: bytes = b"") -> list[str]:
    data = start + random.Random(width).randbytes(width * (count + 1))
    text = base64.b64encode(data).decode()[: width * count + tail]
    return [text[at : at + width] for at in range(0, len(text), width)]


@pytest.mark.parametrize("width", [64, 70, 76])
@pytest.mark.parametrize("around", ["{}", "    {}", "# {}", "+{}", '"{}\\n"', "{}\r"])
def test_what_a_window_leaves_of_a_private_key_is_replaced(finder: Finder, width: int, around: str) -> None:
    body = _wrapped(width)
    key = [f"-----BEGIN RSA {_PRIVATE}-----", *body, f"-----END RSA {_PRIVATE}-----"]
    for first, last in ((0, 15), (0, 5), (1, 15), (2, 15), (12, 15), (13, 15), (4, 8), (1, 14)):
        for cut in (0, 20):
            text = "\n".join(around.format(line) for line in key[first:last])
            text = text[cut:] if first else text
            ours = redactor(finder)
            (clean,) = ours.redact([text])
            assert not [line for line in body if line in clean or line[25:] in clean], (first, last, cut)
            assert ours.restore(clean) == text


def test_the_end_of_a_key_is_replaced_and_what_stands_around_it_stays(finder: Finder) -> None:
    body = "\n".join(_wrapped(64, count=2))
    (clean,) = redactor(finder).redact([f"import os\n\n{body}\n-----END {_PRIVATE}-----\nnext = 1\n"])
    assert clean.startswith("import os\n\nPOINTSMAN_SECRET_1_") and clean.endswith("\nnext = 1\n")


def _block(kind: str, lines: list[str], first: int = 0) -> str:
    return "\n".join([f"-----BEGIN {kind}-----", *lines, f"-----END {kind}-----"][first:])


_PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAA")


@pytest.mark.parametrize(
    "text",
    [
        _block("CERTIFICATE", _wrapped(64)),
        _block("CERTIFICATE", _wrapped(64)) + "\n" + _block("CERTIFICATE", _wrapped(64)),
        _block("CERTIFICATE", _wrapped(64))[:600],
        _block("CERTIFICATE", _wrapped(64), first=3),
        "x = 1\n" + _block("CERTIFICATE", _wrapped(64), first=3),
        _block("PUBLIC " + "KEY", _wrapped(64)),
        "img = '''\n" + "\n".join(_wrapped(76, start=_PNG)) + "\n'''",
        "data:image/png;base64," + "\n".join(_wrapped(76, start=_PNG)),
        "\n".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(9)),
        "\n".join(hashlib.sha256(bytes([n])).hexdigest().upper() for n in range(9)),
        base64.encodebytes(b"Only text, line by line.\n" * 20).decode(),
        "\n".join(_wrapped(64, count=2)),
        "\n".join(_wrapped(60)),
        f"A key ends with\n\n    -----END {_PRIVATE}-----\n\nand nothing else.",
    ],
)
def test_blocks_that_are_no_private_key_stay(finder: Finder, text: str) -> None:
    assert redactor(finder).redact([text]) == [text]
