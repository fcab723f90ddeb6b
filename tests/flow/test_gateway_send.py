"""The gateway against a real server on loopback, through the real client library."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pointsman.errors import ConfigError, GatewayError, PointsmanError, PolicyRefusal, UsageError, VerificationError
from pointsman.gateway.audit import AuditLog
from pointsman.gateway.egress import Caps, EndpointFailure
from pointsman.gateway.gate import Retry
from pointsman.gateway.holdback import HoldBack
from pointsman.gateway.quota import QuotaStore
from pointsman.host.api import Message
from pointsman.policy.trust import Trust
from tests.gateway_site import KEY, Site, sha256


@pytest.fixture
def elsewhere() -> Iterator[HTTPServer]:
    """A second server that must see nothing."""
    server = HTTPServer(host="127.0.0.1", port=0)
    server.expect_request("").respond_with_data("{}")
    server.start()
    yield server
    server.stop()


def usage(site: Site) -> tuple[int, int, int]:
    used = QuotaStore(site.paths.data / "quota.sqlite3").usage().day
    return used.requests, used.tokens, used.micro_usd


async def test_an_answer_with_its_receipt(site: Site) -> None:
    reply = await site.gateway().send(site.request())

    assert (reply.text, reply.endpoint, reply.model) == ("done", "vendor", "big-1")
    assert (reply.input_tokens, reply.output_tokens) == (11, 3)
    assert reply.usd == pytest.approx(41e-6)
    assert usage(site) == (1, 14, 41)
    assert [r["kind"] for r in site.records()] == ["intent", "outcome"]
    assert {r["id"] for r in site.records()} == {reply.record_id}
    assert AuditLog(site.paths.audit).verify().sound


async def test_what_arrives_is_what_was_shown_and_recorded_before(site: Site) -> None:
    gateway = site.gateway()
    preview = await gateway.preview(site.request('naïve ✓ 𝕏 \u2028 \x00 "quoted" \\ end'))
    assert site.received == []
    await gateway.send(site.request('naïve ✓ 𝕏 \u2028 \x00 "quoted" \\ end'))

    (body,) = site.received
    assert body.decode() == preview.body
    (at_arrival,) = site.audit_at_arrival
    assert [r["kind"] for r in at_arrival] == ["intent"]
    assert at_arrival[0]["body_sha256"] == sha256(body) == preview.sha256
    assert at_arrival[0]["body_bytes"] == len(body)
    assert at_arrival[0]["files"] == [sha256(b"src/a.py")]


async def test_the_record_is_synced_before_the_request_is_made(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        if target.suffix == ".jsonl":
            order.append("synced")
        real(descriptor)

    def reply(body: dict[str, Any]) -> str:
        order.append("arrived")
        return "done"

    monkeypatch.setattr(os, "fsync", fsync)
    site.reply = reply
    await site.gateway().send(site.request())
    assert order == ["synced", "arrived", "synced"]


async def test_only_expected_headers_leave(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_ORG_ID", "org-canary")
    monkeypatch.setenv("OPENAI_PROJECT_ID", "project-canary")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "X-Canary: yes")
    await site.gateway().send(site.request())
    (headers,) = site.headers
    assert headers.keys() == {
        *("Host", "Accept", "Accept-Encoding", "Authorization", "Connection"),
        *("Content-Type", "Content-Length", "User-Agent"),
    }
    assert headers["Authorization"] == f"Bearer {KEY}"


def test_no_http_client_is_loaded_before_something_is_sent() -> None:
    code = "import sys, pointsman.gateway.gate; sys.exit(bool({'httpcore2', 'httpx2'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(site: Site, elsewhere: HTTPServer, status: int) -> None:
    site.server.clear()
    headers = {"Location": elsewhere.url_for("/v1/chat/completions")}
    site.server.expect_request("/v1/chat/completions").respond_with_data("", status, headers)
    with pytest.raises(EndpointFailure, match="redirect"):
        await site.gateway().send(site.request())
    assert elsewhere.log == []
    assert len(site.server.log) == 1
    assert site.records()[-1]["status"] == f"HTTP {status}"


async def test_the_environment_changes_neither_address_nor_way(
    site: Site, elsewhere: HTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = elsewhere.url_for("/").rstrip("/")
    for name in (
        "OPENAI_BASE_URL",
        "SSL_CERT_FILE",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "all_proxy",
    ):
        monkeypatch.setenv(name, url)
    monkeypatch.setenv("OPENAI_API_KEY", "another-key")
    monkeypatch.delenv("NO_PROXY", raising=False)
    await site.gateway().send(site.request())
    assert elsewhere.log == []
    assert len(site.received) == 1


async def test_a_failing_endpoint_is_asked_once_and_not_quoted(site: Site) -> None:
    site.server.clear()
    site.server.expect_request("/v1/chat/completions").respond_with_data("secret words \x1b[2J", 500)
    with pytest.raises(EndpointFailure) as caught:
        await site.gateway().send(site.request())
    assert len(site.server.log) == 1
    assert "secret words" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert site.records()[-1]["status"] == "HTTP 500"
    assert caught.value.record == site.records()[-1]["id"] and "was sent" in str(caught.value)
    bound = site.records()[0]["tokens"]
    assert usage(site)[:2] == (1, bound)


async def test_a_request_that_was_turned_down_costs_a_request_and_no_tokens(site: Site) -> None:
    site.server.clear()
    site.server.expect_request("/v1/chat/completions").respond_with_data("no", 429, {"Retry-After": "86400"})
    with pytest.raises(EndpointFailure, match="HTTP 429"):
        await site.gateway().send(site.request())
    assert len(site.server.log) == 1
    assert usage(site) == (1, 0, 0)


async def test_where_nobody_listens_nothing_is_charged(site: Site) -> None:
    site.server.stop()
    try:
        with pytest.raises(EndpointFailure, match="connection") as caught:
            await site.gateway(retry=Retry(attempts=1)).send(site.request())
        assert caught.value.record == "" and "sent" not in str(caught.value)
        assert usage(site) == (0, 0, 0)
        assert [r["kind"] for r in site.records()] == ["intent", "outcome"]
    finally:
        site.server.start()


@pytest.mark.parametrize(
    "stated",
    [
        None,
        {},
        {"prompt_tokens": -5, "completion_tokens": -1},
        {"prompt_tokens": 10**15, "completion_tokens": 10**15},
        {"prompt_tokens": True, "completion_tokens": "3"},
    ],
)
async def test_absent_or_absurd_usage_is_charged_at_the_bound(site: Site, stated: Any) -> None:
    site.usage = stated
    reply = await site.gateway().send(site.request())
    assert (reply.input_tokens, reply.output_tokens) == (len(site.received[0]), 100)
    assert usage(site)[1] == site.records()[0]["tokens"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"not json", 200),
        (b"[" * 100_000, 200),
        (b'{"choices": [{"message": {"content": "x"}}], "deep": ' + b"[" * 80 + b"]" * 80 + b"}", 200),
        (b'{"choices": []}', 200),
        (b'{"choices": [{"message": {"content": null}}]}', 200),
        (b"[]", 200),
        (b"x" * 5000, 200),
        (b"x" * 5000, 500),
    ],
)
async def test_an_unusable_answer_is_an_error_charged_at_the_bound(site: Site, content: bytes, status: int) -> None:
    site.server.clear()
    site.server.expect_request("/v1/chat/completions").respond_with_data(content, status)
    with pytest.raises(EndpointFailure):
        await site.gateway(caps=Caps(reply_bytes=4000 if content[:1] == b"x" else 10**7)).send(site.request())
    assert usage(site)[1] == site.records()[0]["tokens"]


async def test_a_compressed_answer_is_refused(site: Site) -> None:
    site.server.clear()
    headers = {"Content-Encoding": "gzip"}
    site.server.expect_request("/v1/chat/completions").respond_with_data(b"\x1f\x8b", 200, headers)
    with pytest.raises(EndpointFailure, match="compressed"):
        await site.gateway().send(site.request())


async def test_a_silent_endpoint_is_given_up_and_charged(site: Site) -> None:
    release = threading.Event()

    def wait(request: Request) -> Response:
        release.wait(10)
        return Response("{}", 200)

    site.server.clear()
    site.server.expect_request("/v1/chat/completions").respond_with_handler(wait)
    try:
        with pytest.raises(EndpointFailure, match="in time"):
            await site.gateway(caps=Caps(total=0.3)).send(site.request())
    finally:
        release.set()
    assert usage(site)[:2] == (1, site.records()[0]["tokens"])
    assert site.records()[-1]["status"] == "timeout"


async def test_cancelling_charges_and_records(site: Site) -> None:
    release, arrived = threading.Event(), threading.Event()

    def wait(request: Request) -> Response:
        arrived.set()
        release.wait(10)
        return Response("{}", 200)

    site.server.clear()
    site.server.expect_request("/v1/chat/completions").respond_with_handler(wait)
    task = asyncio.create_task(site.gateway().send(site.request()))
    try:
        assert await asyncio.to_thread(arrived.wait, 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    finally:
        release.set()
    assert [r["kind"] for r in site.records()] == ["intent", "outcome"]
    assert usage(site)[:2] == (1, site.records()[0]["tokens"])


async def refused(site: Site, error: type[PointsmanError], **changes: Any) -> PointsmanError:
    with pytest.raises(error) as caught:
        await site.gateway().send(site.request(**changes))
    assert site.server.log == []
    assert KEY not in str(caught.value)
    return caught.value


async def test_without_a_policy_nothing_leaves(site: Site) -> None:
    (site.paths.config / "policy.toml").unlink()
    refusal = await refused(site, PolicyRefusal)
    assert refusal.exit_code == 3
    (record,) = site.records()
    assert (record["kind"], record["rule"]) == ("refused", "closed")


async def test_a_preview_that_policy_refuses_is_recorded(site: Site) -> None:
    gateway = site.gateway()
    await gateway.preview(site.request())
    assert site.records() == []
    with pytest.raises(PolicyRefusal):
        await gateway.preview(site.request(files=("private/a.py",)))
    (record,) = site.records()
    assert (record["kind"], record["rule"], record["request_id"]) == ("refused", "exclude.paths", "r-1")
    assert "private" not in str(record) and site.received == []


async def test_an_untrusted_workspace_is_refused(site: Site) -> None:
    Trust(site.paths.config).untrust(site.repo)
    refusal = await refused(site, PolicyRefusal)
    assert isinstance(refusal, PolicyRefusal)
    assert refusal.rule == "workspace.untrusted"


async def test_one_changed_byte_of_repository_policy_ends_the_trust(site: Site) -> None:
    (site.repo / ".pointsman").mkdir()
    (site.repo / ".pointsman" / "policy.toml").write_text("version = 1\n")
    await refused(site, PolicyRefusal)


async def test_a_malformed_policy_is_a_refusal(site: Site) -> None:
    site.policy(extra="\n[closd]\n")
    refusal = await refused(site, PolicyRefusal)
    assert "policy.toml:" in refusal.message


@pytest.mark.parametrize(
    "name",
    [
        "private/x.py",
        "PRIVATE/x.py",
        ".env",
        "src/../private/x.py",
        "/etc/passwd",
        "../x",
        "",
        "a\0b",
        "link.py",
        "exit-link",
    ],
)
async def test_excluded_files_and_paths_outside_are_refused_without_naming_them(site: Site, name: str) -> None:
    (site.repo / "private").mkdir()
    (site.repo / "private" / "x.py").write_text("canary")
    (site.repo / "link.py").symlink_to("private/x.py")
    (site.repo / "exit-link").symlink_to(site.repo.parent / "elsewhere")
    refusal = await refused(site, PolicyRefusal, files=("src/a.py", name))
    assert not name or name not in str(refusal)


@pytest.mark.parametrize(
    "changes",
    [
        {"task": "completion"},
        {"request_id": "a\nb"},
        {"workspace": "relative"},
        {"messages": ()},
        {"messages": (Message(role="tool", content="x"),)},  # type: ignore[arg-type]
        {"max_tokens": 0},
        {"lines": -1},
        {"text": "x" * (5 << 20)},
    ],
)
async def test_a_malformed_request_is_refused(site: Site, changes: dict[str, Any]) -> None:
    await refused(site, UsageError, **changes)


async def test_half_a_character_in_an_answer_does_no_harm(site: Site) -> None:
    site.reply = lambda body: "a \ud83d b"
    assert (await site.gateway().send(site.request("password = 'hunter2-hunter2'"))).text == "a ? b"


async def test_text_that_is_not_unicode_is_not_sent(site: Site) -> None:
    await refused(site, GatewayError, text="lone \ud800 surrogate")


async def test_an_exhausted_quota_lets_nothing_out(site: Site) -> None:
    site.policy(quota="requests_per_day = 1")
    await site.gateway().send(site.request())
    site.server.clear_log()
    refusal = await refused(site, PolicyRefusal)
    assert isinstance(refusal, PolicyRefusal)
    assert refusal.rule.startswith("closed.quota")
    assert len(site.received) == 1


@pytest.mark.parametrize("quota", ["tokens_per_day = 50", "usd_per_month = 0.000001"])
async def test_the_bound_must_fit_not_only_the_guess(site: Site, quota: str) -> None:
    site.policy(quota=quota)
    await refused(site, PolicyRefusal)


async def test_concurrent_requests_share_one_last_place(site: Site) -> None:
    site.policy(quota="requests_per_day = 1")
    gateway = site.gateway()
    results = await asyncio.gather(*(gateway.send(site.request()) for _ in range(8)), return_exceptions=True)
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, PolicyRefusal) for result in results if isinstance(result, BaseException))
    assert len(site.received) == 1


async def test_a_quota_that_cannot_be_kept_lets_nothing_out(site: Site) -> None:
    (site.paths.data / "quota.sqlite3").write_bytes(b"this is no database, but long enough to be read as one" * 100)
    await refused(site, GatewayError)


async def test_an_audit_folder_that_is_a_file_lets_nothing_out(site: Site) -> None:
    site.paths.audit.write_text("")
    await refused(site, GatewayError)
    assert usage(site) == (0, 0, 0)


async def test_a_segment_that_is_a_folder_lets_nothing_out(site: Site) -> None:
    (site.paths.audit / "000000000001.jsonl").mkdir(parents=True)
    await refused(site, GatewayError)
    assert usage(site) == (0, 0, 0)


@pytest.mark.parametrize("call", ["write", "fsync"])
async def test_a_full_disk_lets_nothing_out(site: Site, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    real = getattr(os, call)

    def fail(descriptor: int, *rest: Any) -> Any:
        if Path(f"/proc/self/fd/{descriptor}").readlink().suffix == ".jsonl":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, *rest)

    monkeypatch.setattr(os, call, fail)
    await refused(site, GatewayError)
    assert usage(site) == (0, 0, 0)


async def test_a_tampered_log_lets_nothing_out(site: Site) -> None:
    await site.gateway().send(site.request())
    (segment,) = site.paths.audit.glob("*.jsonl")
    segment.write_bytes(segment.read_bytes().splitlines(keepends=True)[0])
    site.server.clear_log()
    await refused(site, VerificationError)


async def test_an_outcome_that_cannot_be_recorded_withholds_the_answer_and_charges(site: Site) -> None:
    def reply(body: dict[str, Any]) -> str:
        (segment,) = site.paths.audit.glob("*.jsonl")
        segment.rename(segment.with_suffix(".gone"))
        return "done"

    site.reply = reply
    with pytest.raises(VerificationError) as raised:
        await site.gateway().send(site.request())
    assert usage(site) == (1, 14, 41)
    assert raised.value.record and "the request was sent" in raised.value.told
    assert "nothing is sent" not in raised.value.told


async def test_a_streamed_answer_that_cannot_be_scanned_is_withheld_and_told_as_sent(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: HoldBack) -> str:
        raise GatewayError("the scan for secrets failed (TimeoutError), so nothing is sent")

    monkeypatch.setattr(HoldBack, "end", broken)
    with pytest.raises(GatewayError) as raised:
        await site.gateway().send(site.request(stream=True))
    assert raised.value.record and raised.value.told.startswith(
        "the scan for secrets failed (TimeoutError); the request"
    )
    assert site.records()[-1]["status"] == "broken off"


@pytest.mark.parametrize("outbound", ["always", "first"])
async def test_review_asks_for_the_hash_of_the_very_body(site: Site, outbound: str) -> None:
    site.policy(outbound=outbound)
    gateway = site.gateway()
    preview = await gateway.preview(site.request())
    assert preview.needs_approval
    refusal = await refused(site, PolicyRefusal)
    assert preview.sha256 in refusal.remedy
    await refused(site, PolicyRefusal, text="something else", approved_sha256=preview.sha256)

    # Another process and another request id, as on the command line: the body is the same.
    await site.gateway().send(site.request(request_id="r-2", approved_sha256=preview.sha256))
    assert sha256(site.received[0]) == preview.sha256
    again = await site.gateway().preview(site.request("another"))
    assert again.needs_approval is (outbound == "always")


async def test_the_approval_of_one_workspace_is_none_of_another(site: Site) -> None:
    site.policy(outbound="first")
    preview = await site.gateway().preview(site.request())
    await site.gateway().send(site.request(approved_sha256=preview.sha256))
    other = site.repo.parent / "other"
    other.mkdir()
    Trust(site.paths.config).trust(other)
    assert (await site.gateway().preview(site.request(workspace=str(other)))).needs_approval


async def test_a_key_file_for_others_to_read_lets_nothing_out(site: Site, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY)
    file.chmod(0o644)
    site.policy(key=f"file:{file}")
    await refused(site, ConfigError)
    file.chmod(0o600)
    assert (await site.gateway().send(site.request())).text == "done"


async def test_the_key_is_in_no_file_and_not_in_the_body(site: Site) -> None:
    await site.gateway().send(site.request())
    assert KEY.encode() not in site.everything_written()
    site.server.clear_log()
    site.policy(extra="\n[redact]\nsecrets = false\n")
    await refused(site, GatewayError, text=f"key = {KEY}")


async def test_files_are_for_this_user_alone(site: Site) -> None:
    old = os.umask(0)
    try:
        await site.gateway().send(site.request())
    finally:
        os.umask(old)
    for path in site.paths.data.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


async def test_a_crash_after_the_reservation_keeps_it_charged(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    store = QuotaStore(site.paths.data / "quota.sqlite3")
    await site.gateway().send(site.request())
    with sqlite3.connect(site.paths.data / "quota.sqlite3") as connection:
        connection.execute("UPDATE charge SET state = 'reserved'")
    connection.close()
    assert store.usage().day.requests == 1
