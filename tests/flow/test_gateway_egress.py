"""How a body leaves: names, certificates, proxies, retries, streams and both APIs, against real sockets on loopback."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import json
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pointsman.errors import EndpointDown, GatewayError, PolicyRefusal
from pointsman.gateway import network
from pointsman.gateway.breaker import Breaker
from pointsman.gateway.egress import Caps, EndpointFailure
from pointsman.gateway.gate import Retry
from pointsman.gateway.holdback import MARK
from pointsman.gateway.quota import QuotaStore
from pointsman.host.api import ClosedPiece, ClosedReply, Span
from tests.gateway_site import Site, sha256
from tests.secret_samples import SHAPED, fill

CHAT = "/v1/chat/completions"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for a name or an address, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    start = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    try:
        named: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        named = x509.DNSName(name)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([named]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / f"{name}.pem", folder / f"{name}.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths


class Secure:
    """The site's endpoint again, over TLS and under the name `localhost`."""

    def __init__(self, site: Site, folder: Path, name: str) -> None:
        self.certificate, key = certificate(folder, name)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server = HTTPServer(host="127.0.0.1", port=0, ssl_context=context)
        self.server.expect_request(CHAT, method="POST").respond_with_handler(site.answer)
        self.server.start()
        self.url = f"https://localhost:{self.server.port}/v1"


@pytest.fixture
def secure(site: Site, tmp_path: Path) -> Iterator[Secure]:
    made = Secure(site, tmp_path, "localhost")
    yield made
    made.server.stop()


def names(monkeypatch: pytest.MonkeyPatch, **addresses: str) -> list[str]:
    """Turn the lookup of names into a table; returns the names that were looked up."""
    asked: list[str] = []

    async def lookup(self: Any, host: str, port: int, **options: Any) -> list[Any]:
        asked.append(host)
        family = socket.AF_INET6 if ":" in addresses.get(host, "") else socket.AF_INET
        if host not in addresses:
            raise socket.gaierror("unknown")
        return [(family, socket.SOCK_STREAM, 6, "", (addresses[host], port))]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", lookup)
    return asked


async def test_the_certificate_must_be_for_the_name(
    site: Site, secure: Secure, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = names(monkeypatch, localhost="127.0.0.1")
    site.policy(url=secure.url, entry=f'ca_file = "{secure.certificate}"')
    assert (await site.gateway().send(site.request())).text == "done"
    assert asked == ["localhost"], "the name is looked up once"
    (headers,) = site.headers
    assert headers["Host"] == f"localhost:{secure.server.port}"


async def test_a_certificate_for_another_name_gets_nothing(site: Site, tmp_path: Path) -> None:
    other = Secure(site, tmp_path, "vendor.example")
    try:
        site.policy(url=other.url, entry=f'ca_file = "{other.certificate}"')
        with pytest.raises(EndpointFailure, match="ConnectError"):
            await site.gateway().send(site.request())
    finally:
        other.server.stop()
    assert site.received == [] and QuotaStore(site.paths.quota).usage().day.requests == 0


async def test_certificates_of_the_environment_are_not_trusted(
    site: Site, secure: Secure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(secure.certificate))
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "keys"))
    site.policy(url=secure.url)
    with pytest.raises(EndpointFailure):
        await site.gateway().send(site.request())
    assert site.received == [] and not (tmp_path / "keys").exists()


async def test_a_certificate_file_that_is_not_there(site: Site, secure: Secure) -> None:
    site.policy(url=secure.url, entry='ca_file = "/nowhere/ca.pem"')
    with pytest.raises(EndpointFailure, match="certificates"):
        await site.gateway().send(site.request())
    assert site.received == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "169.254.169.254", "fe80::1", "0.0.0.0", "224.0.0.1",
     "10.1.2.3", "192.168.0.9", "172.20.0.1", "100.64.0.1", "fc00::1", "240.0.0.1", "255.255.255.255"],
)  # fmt: skip
async def test_a_name_that_is_turned_elsewhere_is_not_connected_to(
    site: Site, monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    names(monkeypatch, **{"vendor.example": address})
    tried: list[Any] = []
    monkeypatch.setattr(socket.socket, "connect", lambda self, target: tried.append(target))
    site.policy(url="https://vendor.example/v1")
    with pytest.raises(EndpointFailure, match="not allowed"):
        await site.gateway().send(site.request())
    assert tried == [] and site.records()[-1]["status"] == "address refused"
    assert QuotaStore(site.paths.quota).usage().day.requests == 0


def test_which_addresses_a_name_may_lead_to() -> None:
    assert network.allowed("93.184.216.34", "public") and network.allowed("2606:2800:220:1::1", "public")
    assert network.allowed("10.0.0.7", "private") and network.allowed("fc00::7", "private")
    assert not network.allowed("127.0.0.1", "private") and not network.allowed("169.254.169.254", "private")
    assert not network.allowed("not an address", "private")
    assert network.allowed("127.0.0.1", "public", loops_back=True)
    assert not network.allowed("93.184.216.34", "public", loops_back=True), "localhost is nowhere else"


async def test_a_connection_to_another_address_is_refused() -> None:
    backend = network.PinnedBackend("vendor.example", 443, "public")
    for host, port in (("other.example", 443), ("vendor.example", 80)):
        with pytest.raises(network.AddressRefused):
            await backend.connect_tcp(host, port)
    with pytest.raises(network.AddressRefused):
        await backend.connect_unix_socket("/run/x")


@asynccontextmanager
async def proxy() -> AsyncIterator[tuple[int, list[str]]]:
    """A proxy that tunnels; its port, and the first line of each request to it."""
    asked: list[str] = []

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
        sink.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        asked.append(head.splitlines()[0])
        target = head.split()[1]
        onward, back = await asyncio.open_connection("127.0.0.1", int(target.rpartition(":")[2]))
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        await asyncio.gather(pump(reader, back), pump(onward, writer), return_exceptions=True)

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1], asked
    finally:
        server.close()


async def test_only_the_proxy_that_policy_names_is_used(site: Site, secure: Secure) -> None:
    async with proxy() as (port, asked):
        entry = f'ca_file = "{secure.certificate}"\nproxy = "http://127.0.0.1:{port}"'
        site.policy(url=secure.url, entry=entry)
        assert (await site.gateway().send(site.request())).text == "done"
    assert asked == [f"CONNECT localhost:{secure.server.port} HTTP/1.1"]


async def test_plain_http_takes_no_proxy(site: Site) -> None:
    site.policy(entry='proxy = "http://127.0.0.1:9"')
    with pytest.raises(EndpointFailure, match="only https"):
        await site.gateway().send(site.request())


# -- again, and leaving alone ------------------------------------------------------------------------------------------


def failing(site: Site, *statuses: int, headers: dict[str, str] | None = None) -> None:
    """Answer with these states first, and with the site's own answer after them."""
    left = list(statuses)

    def answer(request: Request) -> Response:
        if left:
            site.received.append(request.get_data())
            return Response("{}", left.pop(0), headers=headers)
        return site.answer(request)

    site.server.clear()
    site.server.expect_request(CHAT, method="POST").respond_with_handler(answer)


@pytest.mark.parametrize("status", [429, 502, 503, 504, 529])
async def test_what_may_be_over_in_a_moment_is_tried_again_and_each_try_counts(site: Site, status: int) -> None:
    failing(site, status)
    reply = await site.gateway().send(site.request())
    assert (reply.text, reply.attempts) == ("done", 2)
    records = site.records()
    assert [(r["kind"], r["status"]) for r in records] == [
        ("intent", "sending"), ("outcome", f"HTTP {status}"), ("intent", "sending"), ("outcome", "answered"),
    ]  # fmt: skip
    assert [r["attempt"] for r in records if r["kind"] == "intent"] == [1, 2]
    assert len({r["id"] for r in records}) == 2 and len({r["body_sha256"] for r in records}) == 1
    assert QuotaStore(site.paths.quota).usage().day.requests == 2
    assert [sha256(body) for body in site.received] == [records[0]["body_sha256"]] * 2


async def test_policy_is_asked_at_every_try(site: Site) -> None:
    failing(site, 503, 503)
    original = site.server

    def answer(request: Request) -> Response:
        (site.paths.config / "policy.toml").write_text("version = 1\nlocal_only = true\n")
        return Response("{}", 503)

    original.clear()
    original.expect_request(CHAT).respond_with_handler(answer)
    with pytest.raises(PolicyRefusal) as refused:
        await site.gateway().send(site.request())
    assert refused.value.rule == "local_only" and len(original.log) == 1
    assert site.records()[-1]["kind"] == "refused"


async def test_quota_is_asked_at_every_try(site: Site) -> None:
    site.policy(quota="requests_per_day = 2")
    failing(site, 503, 503, 503)
    with pytest.raises(PolicyRefusal) as refused:
        await site.gateway().send(site.request())
    assert refused.value.rule.startswith("closed.quota") and len(site.received) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 418, 500])
async def test_what_will_not_pass_is_asked_once(site: Site, status: int) -> None:
    failing(site, status, status)
    with pytest.raises(EndpointFailure):
        await site.gateway().send(site.request())
    assert len(site.received) == 1


async def test_a_wait_of_a_day_is_not_waited_for(site: Site) -> None:
    failing(site, 429, headers={"Retry-After": "86400"})
    with pytest.raises(EndpointFailure, match="429"):
        await site.gateway().send(site.request())
    assert len(site.received) == 1


async def test_an_endpoint_that_keeps_failing_is_left_alone_for_a_while(site: Site) -> None:
    clock = [0.0]
    gateway = site.gateway(breaker=Breaker(now=lambda: clock[0]), retry=Retry(attempts=1))
    failing(site, *[503] * 4)
    for _ in range(3):
        with pytest.raises(EndpointFailure):
            await gateway.send(site.request())
    with pytest.raises(EndpointDown) as resting:
        await gateway.send(site.request())
    assert resting.value.exit_code == 1 and len(site.received) == 3, "policy has refused nothing"
    assert site.records()[-1]["rule"] == "gateway.endpoint_down"
    clock[0] += 31  # One on trial, which fails; then another rest.
    with pytest.raises(EndpointFailure):
        await gateway.send(site.request())
    with pytest.raises(EndpointDown):
        await gateway.send(site.request())
    clock[0] += 31
    assert (await gateway.send(site.request())).text == "done"
    assert (await gateway.send(site.request())).text == "done"


async def test_the_next_listed_endpoint_takes_over(site: Site) -> None:
    second = HTTPServer(host="127.0.0.1", port=0)
    second.expect_request(CHAT).respond_with_handler(site.answer)
    second.start()
    entry = f"""
[[closed.endpoints]]
name = "second"
base_url = "{second.url_for("/v1")}"
region = "eu"
models = ["other"]
key = "env:VENDOR_KEY"
usd_per_mtok = {{ input = 1.0, output = 1.0 }}
"""
    site.policy(entry=entry, outbound="always")
    failing(site, *[503] * 3)
    try:
        gateway = site.gateway()
        shown = await gateway.preview(site.request())
        assert shown.endpoint == "vendor"
        approved = site.request(approved_sha256=shown.sha256)
        with pytest.raises(EndpointFailure):
            await gateway.send(approved)
        with pytest.raises(EndpointDown):  # what was approved was for the first
            await gateway.send(approved)
        site.policy(entry=entry)
        assert (await gateway.send(site.request())).endpoint == "second"
    finally:
        second.stop()


# -- streams -----------------------------------------------------------------------------------------------------------


def sse(*events: Any) -> str:
    return "".join(f"data: {event if isinstance(event, str) else json.dumps(event)}\n\n" for event in events)


def chat_events(pieces: list[str], usage: Any = None) -> str:
    parts = [{"choices": [{"delta": {"content": piece}}]} for piece in pieces]
    return sse(*parts, {"choices": [{"delta": {}, "finish_reason": "stop"}]}, {"choices": [], "usage": usage}, "[DONE]")


def streaming(site: Site, content: str, status: int = 200, path: str = CHAT) -> None:
    site.server.clear()

    def answer(request: Request) -> Response:
        site.received.append(request.get_data())
        return Response(content, status, content_type="text/event-stream")

    site.server.expect_request(path, method="POST").respond_with_handler(answer)


async def parts_of(site: Site, text: str = "make it shorter", **options: Any) -> tuple[list[str], ClosedReply]:
    pieces, reply = [], None
    async for part in site.gateway(**options).stream(site.request(text, stream=True)):
        if isinstance(part, ClosedPiece):
            pieces.append(part.delta)
        else:
            reply = part
    assert reply is not None
    return pieces, reply


async def test_a_streamed_answer_with_its_usage(site: Site) -> None:
    words = [f"word{n} " for n in range(600)]
    streaming(site, chat_events(words, {"prompt_tokens": 9, "completion_tokens": 7}))
    pieces, reply = await parts_of(site)
    assert "".join(pieces) == reply.text == "".join(words) and len(pieces) > 3
    assert (reply.input_tokens, reply.output_tokens) == (9, 7)
    body = json.loads(site.received[0])
    assert body["stream"] is True and body["stream_options"] == {"include_usage": True}
    assert [r["status"] for r in site.records()] == ["sending", "answered"]


async def test_a_whole_answer_to_a_streamed_request(site: Site) -> None:
    pieces, reply = await parts_of(site)
    assert pieces == ["done"] and reply.text == "done"


@pytest.mark.parametrize(
    "content",
    [sse({"choices": [{"delta": {"content": "half"}}]}), "data: {not json\n\n", sse([1]), "data: " + "[" * 99 + "\n\n"],
)
async def test_a_stream_that_breaks_off_is_charged_at_the_bound(site: Site, content: str) -> None:
    streaming(site, content)
    with pytest.raises(EndpointFailure):
        await parts_of(site)
    assert QuotaStore(site.paths.quota).usage().day.tokens == site.records()[0]["tokens"]


async def test_a_stream_that_does_not_end_is_given_up(site: Site) -> None:
    streaming(site, chat_events(["x" * 1000] * 100))
    with pytest.raises(EndpointFailure, match="longer"):
        await parts_of(site, caps=Caps(reply_bytes=20_000))


async def test_leaving_a_stream_early_charges_and_records(site: Site) -> None:
    streaming(site, chat_events([f"word{n} " for n in range(2000)]))
    stream = site.gateway().stream(site.request(stream=True))
    assert isinstance(await anext(stream), ClosedPiece)
    await stream.aclose()
    assert [r["status"] for r in site.records()] == ["sending", "broken off"]
    assert QuotaStore(site.paths.quota).usage().day.tokens == site.records()[0]["tokens"]


async def test_no_secret_of_the_models_is_shown_however_it_is_split(site: Site, kingfisher: Any) -> None:
    import random

    from pointsman.gateway.finder import Finder
    from pointsman.gateway.holdback import HoldBack
    from pointsman.gateway.redact import Redactor

    finder = Finder(kingfisher, secrets=True, personal=True)
    secret = fill("ghp_{an36}", random.Random(1))
    text = "x = 1\n" * 300 + f"# see {secret} here\n" + "y = 2\n" * 300
    for cut in range(text.index(secret) - 1, text.index(secret) + len(secret) + 1):
        held = HoldBack(finder, Redactor(finder, "0" * 16))
        shown = [
            held.feed(text[:cut]),
            *(held.feed(text[at : at + 97]) for at in range(cut, len(text), 97)),
            held.end(),
        ]
        assert "".join(shown) == text.replace(secret, MARK), cut
        assert not any(secret[:8] in part for part in shown)


async def test_secrets_of_many_shapes_are_held_back_however_they_are_split(kingfisher: Any) -> None:
    """Every sixth shape, in pieces of seven characters."""
    import random

    from pointsman.gateway.finder import Finder
    from pointsman.gateway.holdback import HoldBack
    from pointsman.gateway.redact import Redactor

    finder = Finder(kingfisher, secrets=True, personal=False)
    dice, leaked = random.Random(5), []
    for template in SHAPED[::6]:
        secret = fill(template, dice)
        assert finder.find(f"k = '{secret}'"), template
        text = f"a = 1\nk = '{secret}'\n" + "b = 2\n" * 260
        held, shown = HoldBack(finder, Redactor(finder, "0" * 16)), ""
        for at in range(0, len(text), 7):
            shown += held.feed(text[at : at + 7])
            leaked += [template] * (secret[: len(secret) // 2] in shown)
        shown += held.end()
        leaked += [template] * (secret in shown)
    assert leaked == []


@pytest.mark.parametrize("piece", [1, 64, 5000])
def test_a_secret_without_an_end_is_not_looked_at_again_and_again(piece: int) -> None:
    """Such as a private key that goes on and on: all looks together read it a few times, and none of it shows."""
    from pointsman.gateway.holdback import HoldBack
    from pointsman.gateway.redact import Redactor

    read = 0

    class Endless:
        def find(self, text: str, **_: bool) -> list[tuple[int, int, str]]:
            nonlocal read
            read += len(text)
            begin = text.find("BEGIN")
            return [(begin, len(text), "key")] if begin >= 0 else []

    finder: Any = Endless()
    held, text = HoldBack(finder, Redactor(finder, "0" * 16)), "word " * 1000 + "BEGIN" + "x" * 100_000
    shown = "".join(held.feed(text[at : at + piece]) for at in range(0, len(text), piece))
    assert shown == "word " * 1000
    assert shown + held.end() == "word " * 1000 + MARK
    assert read < 12 * len(text)


def test_much_text_without_secrets_is_read_a_few_times_only() -> None:
    from pointsman.gateway.holdback import HoldBack
    from pointsman.gateway.redact import Redactor

    read = 0

    class Nothing:
        def find(self, text: str, **_: bool) -> list[Any]:
            nonlocal read
            read += len(text)
            return []

    finder: Any = Nothing()
    held, text = HoldBack(finder, Redactor(finder, "0" * 16)), "word " * 20_000
    shown = [held.feed(text[at : at + 8]) for at in range(0, len(text), 8)]
    assert len("".join(shown)) > len(text) - 1500, "what is shown does not keep up"
    assert "".join((*shown, held.end())) == text
    assert read < 20 * len(text)


async def test_placeholders_split_over_pieces_turn_back(site: Site) -> None:
    secret = "ghp_" + "Zx9Qw8Er7Ty6Ui5Op4As3Df2Gh1Jk0LzXcVb"
    text = f"token = '{secret}'"
    preview = await site.gateway().preview(site.request(text, stream=True))
    (mark,) = preview.marks
    assert "github" in mark.rule and mark.count == 1 and secret not in preview.body
    answer = "see\n" * 500 + f"use {mark.placeholder} here\n" + "end\n" * 500
    streaming(site, chat_events([answer[at : at + 5] for at in range(0, len(answer), 5)]))
    pieces, reply = await parts_of(site, text)
    assert "".join(pieces) == reply.text == answer.replace(mark.placeholder, secret)
    assert reply.secrets_written == 0


# -- the responses API -------------------------------------------------------------------------------------------------


async def test_the_responses_api(site: Site) -> None:
    site.policy(entry='api = "responses"')
    output = [
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "do"}, {"type": "output_text", "text": "ne"}]},
    ]
    site.server.clear()

    def answer(request: Request) -> Response:
        site.received.append(request.get_data())
        return Response(json.dumps({"output": output, "usage": {"input_tokens": 5, "output_tokens": 2}}), 200)

    site.server.expect_request("/v1/responses", method="POST").respond_with_handler(answer)
    reply = await site.gateway().send(site.request())
    assert (reply.text, reply.input_tokens, reply.output_tokens) == ("done", 5, 2)
    body = json.loads(site.received[0])
    assert body["store"] is False and body["max_output_tokens"] == 100
    assert [item["role"] for item in body["input"]] == ["system", "user"]


async def test_the_responses_api_as_a_stream(site: Site) -> None:
    site.policy(entry='api = "responses"')
    usage = {"input_tokens": 5, "output_tokens": 2}
    events = [
        {"type": "response.created"},
        {"type": "response.output_text.delta", "delta": "do"},
        {"type": "response.output_text.delta", "delta": "ne"},
        {"type": "response.completed", "response": {"usage": usage}},
    ]
    streaming(site, sse(*events), path="/v1/responses")
    pieces, reply = await parts_of(site)
    assert "".join(pieces) == "done" and reply.output_tokens == 2
    streaming(site, sse(*events[:2], {"type": "response.failed"}), path="/v1/responses")
    with pytest.raises(GatewayError):
        await parts_of(site)


async def test_an_endpoint_with_the_old_name_of_the_limit(site: Site) -> None:
    site.policy(entry='limit = "max_tokens"')
    await site.gateway().send(site.request())
    body = json.loads(site.received[0])
    assert body["max_tokens"] == 100 and "max_completion_tokens" not in body


# -- receipts and what never gets so far -------------------------------------------------------------------------------


async def test_the_receipt_says_what_left(site: Site) -> None:
    spans = (Span(path="src/a.py", start_line=1, end_line=1),)
    reply = await site.gateway().send(site.request("password = 'xk29-qqpz-771'", spans=spans))
    assert reply.spans == spans and reply.body_sha256 == sha256(site.received[0])
    assert [mark.rule for mark in reply.marks] == ["password"] and reply.body_bytes == len(site.received[0])
    assert site.records()[0]["spans"] == [[sha256(b"src/a.py"), 1, 1]]


async def test_a_span_of_an_excluded_file_is_refused(site: Site) -> None:
    with pytest.raises(PolicyRefusal):
        await site.gateway().send(site.request(spans=(Span(path="private/x.py", start_line=1, end_line=2),)))
    assert site.received == []


async def test_a_file_that_is_kept_for_the_local_model_is_refused(site: Site) -> None:
    site.policy(extra='[route]\nlocal_paths = ["src/**"]\n')
    with pytest.raises(PolicyRefusal) as refused:
        await site.gateway().send(site.request())
    assert refused.value.rule == "route.local_paths" and site.received == []


async def test_every_refusal_is_recorded_with_the_policy_that_judged(site: Site) -> None:
    gateway = site.gateway()
    with pytest.raises(GatewayError):
        await gateway.send(site.request("\ud800"))
    with pytest.raises(PolicyRefusal):
        await gateway.send(site.request(files=("private/x.py",)))
    records = site.records()
    assert [r["rule"] for r in records] == ["gateway.gateway", "exclude.paths"]
    assert all(len(r["policy_sha256"]) == 64 for r in records) and site.received == []


async def test_bodies_are_kept_for_the_holder_of_the_policys_key(site: Site, tmp_path: Path) -> None:
    from pointsman.gateway.bodies import SealedBodies, new_key, read_key

    public = new_key(tmp_path / "key")
    site.policy(extra=f'[audit]\nbodies_key = "{public}"\n')
    reply = await site.gateway().send(site.request("remember this"))
    store = SealedBodies(site.paths.audit_bodies)
    assert store.open(reply.record_id, "request", read_key(tmp_path / "key")) == site.received[0]
    assert store.open(reply.record_id, "reply", read_key(tmp_path / "key")) == b"done"
    assert b"remember this" not in site.everything_written()
    intent, outcome = site.records()
    assert len(intent["sealed_request_sha256"]) == len(outcome["sealed_reply_sha256"]) == 64


async def test_a_mistake_while_judging_is_a_recorded_no(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway = site.gateway()
    monkeypatch.setattr("pointsman.gateway.prepare.decide", lambda *a: 1 / 0)
    with pytest.raises(GatewayError, match="ZeroDivisionError"):
        await gateway.send(site.request())
    assert site.received == [] and [r["kind"] for r in site.records()] == ["refused"]


async def test_half_a_character_in_a_stream_is_no_crash(site: Site) -> None:
    streaming(site, chat_events(["a\ud83d", "b"]))
    pieces, reply = await parts_of(site)
    assert "".join(pieces) == reply.text == "a?b"


async def test_the_next_address_of_the_name_is_tried_and_one_bad_one_spoils_all(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[str] = []

    async def lookup(self: Any, host: str, port: int, **options: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]

    monkeypatch.setattr(asyncio.base_events.BaseEventLoop, "getaddrinfo", lookup)
    site.policy(url=f"http://localhost:{site.server.port}/v1")
    answers[:] = ["127.0.0.99", "127.0.0.1"]  # Nobody listens at the first.
    assert (await site.gateway().send(site.request())).text == "done"
    answers[:] = ["127.0.0.1", "93.184.216.34"]
    with pytest.raises(EndpointFailure, match="not allowed"):
        await site.gateway().send(site.request())
    assert len(site.received) == 1


async def test_secrets_that_the_model_made_up_are_counted(site: Site) -> None:
    made_up = "ghp_" + "Zx9Qw8Er7Ty6Ui5Op4As3Df2Gh1Jk0LzXcVb"
    site.reply = lambda body: f"key = '{made_up}'"
    assert (await site.gateway().send(site.request())).secrets_written == 1
    preview = await site.gateway().preview(site.request(f"key = '{made_up}'"))
    site.reply = lambda body: f"key = '{preview.marks[0].placeholder}'"
    assert (await site.gateway().send(site.request(f"key = '{made_up}'"))).secrets_written == 0


@pytest.mark.parametrize("stream", [True, False])
async def test_a_stream_travels_through_the_host_s_socket(site: Site, stream: bool) -> None:
    from pointsman.host import wire
    from pointsman.host.api import ClosedPiece, ClosedReply, ClosedRequest

    request = wire.from_plain(json.loads(wire.encode(wire.to_plain(site.request(stream=stream)))), ClosedRequest)
    assert request == site.request(stream=stream)
    kinds = wire.METHODS["closed_stream"].result
    parts = [part async for part in site.gateway().stream(request)]
    again = [wire.from_plain(json.loads(wire.encode(wire.to_plain(part))), kinds) for part in parts]
    assert again == parts and isinstance(again[-1], ClosedReply)
    assert [type(part) for part in again[:-1]] == [ClosedPiece] * stream
