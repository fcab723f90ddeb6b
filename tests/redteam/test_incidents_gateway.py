"""Incidents in which a workspace, an environment, another user or an endpoint is the attacker."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from werkzeug import Request, Response

from pointsman.errors import GatewayError, PointsmanError, PolicyRefusal, UsageError
from pointsman.gateway.egress import EndpointFailure
from pointsman.host import api, wire
from pointsman.policy.trust import Trust
from tests.flow.test_gateway_egress import chat_events, parts_of, streaming
from tests.gateway_site import KEY
from tests.lspwire import Wire
from tests.secret_samples import fill

from .conftest import Attack

ROOT = Path(__file__).parents[2]
COMMAND = str(Path(sys.executable).parent / "pointsman")
INDEX = """
import sys
from pathlib import Path
from pointsman_indexer import HashEmbedder, Index
with Index.open(Path.cwd(), Path(sys.argv[1]), HashEmbedder(32)) as index:
    assert index.update().files
"""


async def test_6_one_changed_byte_ends_the_trust(attack: Attack) -> None:
    policy = attack.write(".pointsman/policy.toml", "version = 1\n")
    Trust(attack.site.paths.config).trust(attack.site.repo)
    await attack.refactor()
    policy.write_text("version = 1 ")
    before = attack.tree()
    error = await attack.refused()
    assert isinstance(error, PolicyRefusal) and error.rule == "workspace.untrusted"
    await _send_refused(attack)
    attack.check(before, sent=2)  # an answer that cannot be used is asked for once more
    assert attack.site.records()[-1]["kind"] == "refused"


async def _send_refused(attack: Attack, **changes: Any) -> PointsmanError:
    with pytest.raises(PointsmanError) as caught:
        await attack.site.gateway().send(attack.site.request(**changes))
    return caught.value


@pytest.mark.parametrize("trusted", [False, True])
async def test_8_a_repository_chooses_no_endpoint_by_any_channel(
    attack: Attack, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    await attack.site.gateway().send(attack.site.request())  # before the repository says anything
    url = attack.elsewhere.url_for("/v1")
    entry = f"""version = 1
[closed]
enabled = true
tasks = ["refactor", "chat"]
[[closed.endpoints]]
name = "vendor"
base_url = "{url}"
key = "env:HOME"
"""
    for name, text in {
        ".pointsman/policy.toml": entry,
        "policy.toml": entry,
        "settings.toml": f'hub_endpoint = "{url}"\n',
        ".pointsman/settings.toml": f'target = "closed"\nhub_endpoint = "{url}"\n',
        ".env": f"OPENAI_BASE_URL={url}\nPOINTSMAN_POLICY=policy.toml\nHTTPS_PROXY={url}\n",
        ".vscode/settings.json": json.dumps({"pointsman.baseUrl": url, "pointsman.endpoint": url}),
    }.items():
        attack.write(name, text)
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"):
        monkeypatch.setenv(name, url)
    if trusted:
        Trust(attack.site.paths.config).trust(attack.site.repo)
    before = attack.tree()
    # Trusted, its policy narrows: an entry at another address agrees with no grant, so nothing is left to ask.
    rule = "closed" if trusted else "workspace.untrusted"
    for error in (await attack.refused(), await _send_refused(attack)):
        assert isinstance(error, PolicyRefusal) and error.rule == rule
    attack.check(before, sent=1)


async def test_8_an_untrusted_workspace_reads_no_key_and_no_rules(
    attack: Attack, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pointsman.gateway import keys

    Trust(attack.site.paths.config).untrust(attack.site.repo)
    attack.write(".pointsman/policy.toml", "this is not even TOML")
    monkeypatch.setattr(keys, "resolve", lambda *a: pytest.fail("a key was read before trust"))
    before = attack.tree()
    error = await _send_refused(attack)
    assert isinstance(error, PolicyRefusal) and error.rule == "workspace.untrusted"
    attack.check(before, sent=0)


@dataclass(frozen=True)
class Trap:
    """A folder in which whatever is run leaves `marker` behind."""

    repo: Path
    marker: Path
    environment: dict[str, str]


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    repo, home, marker = tmp_path / "repo", tmp_path / "home", tmp_path / "ran"
    repo.mkdir()
    subprocess.run(["git", "init", "-q", repo], check=True)
    script = f"#!/bin/sh\ntouch {marker}\n"
    hook = repo / "hook.sh"
    hook.write_text(script)
    hook.chmod(0o755)
    for key, value in {
        "core.fsmonitor": str(hook), "core.sshCommand": str(hook), "core.pager": str(hook), "diff.external": str(hook),
        "core.editor": str(hook), "user.email": f"$(touch {marker})", "core.hooksPath": str(repo),
        "filter.x.smudge": str(hook), "filter.x.clean": str(hook), "core.attributesFile": str(repo / "attributes"),
    }.items():  # fmt: skip
        subprocess.run(["git", "-C", repo, "config", key, value], check=True)
    (repo / ".gitattributes").write_text("* filter=x\n")
    python = f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n"
    for name in ("sitecustomize.py", "usercustomize.py", "json.py", "os.py", "click.py", "pointsman.py", "conftest.py"):
        (repo / name).write_text(python)
    (repo / ".vscode").mkdir()
    task = {"label": "x", "command": str(hook), "runOptions": {"runOn": "folderOpen"}}
    (repo / ".vscode" / "tasks.json").write_text(json.dumps({"version": "2.0.0", "tasks": [task]}))
    (repo / ".pth").write_text(f"import pathlib; pathlib.Path({str(marker)!r}).touch()\n")
    subprocess.run(["git", "-C", repo, "status"], capture_output=True, check=False)
    assert marker.exists(), "otherwise these tests could not fail"
    marker.unlink()
    environment = {"PATH": os.environ["PATH"], "POINTSMAN_HOME": str(home), "HOME": str(home), "PYTHONPATH": ""}
    yield Trap(repo, marker, environment)
    subprocess.run([COMMAND, "host", "stop"], env=environment, capture_output=True, check=False, timeout=120)


def test_9_and_10_nothing_of_a_folder_runs_before_or_without_trust(trap: Trap, tmp_path: Path) -> None:
    for arguments, code in (
        ([COMMAND, "policy", "show", "."], 0),
        ([COMMAND, "policy", "explain", "."], 0),
        ([COMMAND, "policy", "check", "."], 0),
        ([COMMAND, "audit", "list"], 0),
        ([COMMAND, "doctor"], 1),  # no model is installed here
        ([COMMAND, "index", "."], 4),
        ([sys.executable, "-P", "-c", INDEX, str(tmp_path / "index")], 0),
    ):
        done = subprocess.run(
            arguments, cwd=trap.repo, env=trap.environment, capture_output=True, text=True, check=False, timeout=120
        )
        assert done.returncode == code, (arguments, done.stderr)
        assert not trap.marker.exists(), arguments
    from pointsman_indexer.exclude import Exclusions
    from pointsman_indexer.listing import walk

    walk(trap.repo, Exclusions(trap.repo))
    assert not trap.marker.exists(), "listing the files ran something of the repository"


async def test_10_nothing_of_a_folder_runs_when_an_editor_opens_it(trap: Trap) -> None:
    start = ["sh", "-c", 'cd "$1" && exec "$2" serve', "sh", str(trap.repo), COMMAND]
    wire = await Wire.start(start, trap.environment)
    file = trap.repo / "os.py"
    try:
        await wire.initialize(trap.repo.as_uri())
        await wire.open(file.as_uri(), file.read_text())
        assert (await wire.complete(file.as_uri(), 1, 0))["result"] == {"items": []}
        await wire.until(lambda m: "models pull" in m.get("params", {}).get("message", ""))  # it looked for a model
        assert await wire.leave() == 0
    finally:
        await wire.close()
    assert not trap.marker.exists()


async def test_13_planted_links_and_an_open_umask(attack: Attack, tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("mine")
    data = attack.site.paths.data
    names = ("quota.sqlite3", "gateway-secret", "audit-key", "audit-head.json", "reviewed.json", "quota.lock")
    old = os.umask(0)
    try:
        for name in names:
            (data / name).symlink_to(victim)
            error = await _send_or_none(attack)
            (data / name).unlink(missing_ok=True)
            assert victim.read_text() == "mine", name
            for path in (*data.glob("audit*"), *data.glob("quota*"), *data.glob("gateway*")):
                _gone(path)
            assert (error is None) == (name == "reviewed.json"), name  # which only a review reads
        attack.site.received.clear()
        await attack.site.gateway().send(attack.site.request())
    finally:
        os.umask(old)
    for path in attack.site.paths.data.rglob("*"):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path


async def _send_or_none(attack: Attack) -> BaseException | None:
    try:
        await attack.site.gateway().send(attack.site.request())
    except PointsmanError as error:
        return error
    return None


def _gone(path: Path) -> None:
    import shutil

    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)


def test_14_the_host_listens_on_no_port(tmp_path: Path) -> None:
    environment = {**os.environ, "POINTSMAN_HOME": str(tmp_path / "h"), "POINTSMAN_IDLE_MINUTES": "1"}
    process = subprocess.Popen([sys.executable, "-P", "-m", "pointsman.host"], env=environment, cwd="/")
    try:
        sockets: list[Path] = []
        deadline = time.monotonic() + 60
        while not sockets and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.1)
            sockets = [path for path in (tmp_path / "h").rglob("*") if path.is_socket()]
        assert sockets
        family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        assert [c for one in family for c in one.net_connections(kind="inet")] == []
        assert stat.S_IMODE(sockets[0].stat().st_mode) == 0o600
        assert stat.S_IMODE(sockets[0].parent.stat().st_mode) == 0o700
    finally:
        process.terminate()
        process.wait(30)


async def test_15_an_allowed_host_gets_one_path_one_verb_and_our_key(attack: Attack) -> None:
    before = attack.tree()
    attack.say("```python\nimport urllib\n```\nPOST /v1/files; use Authorization: Bearer stolen")
    await attack.refactor()
    for request, _ in attack.site.server.log:
        assert (request.method, request.full_path.rstrip("?")) == ("POST", "/v1/chat/completions")
        assert request.headers["Authorization"] == f"Bearer {KEY}"
    attack.check(before, sent=1, changed={"src/a.py"})


def test_21_every_package_is_pinned_by_hash_and_nothing_runs_at_start() -> None:
    lock = (ROOT / "requirements.lock").read_text()
    blocks = [block for block in lock.replace("\\\n", " ").splitlines() if "==" in block]
    assert len(blocks) > 50 and all("--hash=sha256:" in block for block in blocks)
    assert not [p for p in ROOT.rglob("*.pth") if ".venv" not in p.parts]
    assert "litellm" not in lock and "\nopenai==" not in lock


@pytest.mark.parametrize(
    "extra",
    [{"api_base": "http://evil"}, {"extra_body": {"api_base": "x"}}, {"extra_headers": {"A": "b"}}, {"base_url": "x"}],
)
def test_23_unknown_keys_are_rejected_at_every_depth(extra: dict[str, Any]) -> None:
    plain = {
        "request_id": "r", "task": "refactor", "workspace": "/x", "files": [], "lines": 1, "max_tokens": 1,
        "messages": [{"role": "user", "content": "x"}],
    }  # fmt: skip
    wire.from_plain(plain, api.ClosedRequest)
    for spoilt in (plain | extra, plain | {"messages": [plain["messages"][0] | extra]}):  # type: ignore[index]
        with pytest.raises(UsageError):
            wire.from_plain(spoilt, api.ClosedRequest)
    with pytest.raises(UsageError):
        wire.from_plain(plain | {"spans": [{"path": "a", "start_line": 1, "end_line": 1} | extra]}, api.ClosedRequest)


async def test_24_of_64_first_requests_one_gets_through(attack: Attack) -> None:
    attack.site.policy(quota="requests_per_day = 1")
    before = attack.tree()
    gateway = attack.site.gateway()
    results = await asyncio.gather(
        *(gateway.send(attack.site.request(f"n{n}")) for n in range(64)), return_exceptions=True
    )
    assert sum(not isinstance(result, BaseException) for result in results) == 1
    assert all(isinstance(result, PolicyRefusal) for result in results if isinstance(result, BaseException))
    attack.check(before, sent=1)
    assert sum(r["kind"] == "refused" for r in attack.site.records()) == 63


async def test_25_a_secret_split_over_events_is_shown_nowhere(attack: Attack) -> None:
    import random

    secret = fill("ghp_{an36}", random.Random(2))
    text = "# a\n" * 400 + f"# see {secret} here\n" + "# b\n" * 400
    at = text.index(secret)
    before = attack.tree()
    for cut in range(at, at + len(secret) + 1, 4):
        streaming(attack.site, chat_events([text[:cut], text[cut : cut + 3], text[cut + 3 :]]))
        pieces, reply = await parts_of(attack.site)
        assert secret not in reply.text and reply.secrets_written == 1
        assert not any(secret[:6] in piece for piece in pieces)
    attack.check(before, sent=len(attack.site.received))


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_27_a_redirect_reaches_nobody(attack: Attack, status: int) -> None:
    where = attack.elsewhere.url_for("/v1/chat/completions")

    def answer(request: Request) -> Response:
        attack.site.received.append(request.get_data())
        return Response("", status, {"Location": where, "Refresh": f"0;url={where}", "Link": f"<{where}>"})

    attack.site.server.clear()
    attack.site.server.expect_request("/v1/chat/completions").respond_with_handler(answer)
    before = attack.tree()
    with pytest.raises(EndpointFailure, match="redirect"):
        await attack.site.gateway().send(attack.site.request())
    attack.check(before, sent=1)


@pytest.mark.parametrize(
    "name",
    ["private/x.py", "PRIVATE/X.PY", "private/x.py~", "private/.x.py.swp", "src/../private/x.py", "./private/x.py",
     "private//x.py", "src/link.py", ".env", "src/.env.local", "id_rsa", "a.pem", "/etc/passwd", "src/a.py.orig"],
)  # fmt: skip
async def test_28_an_excluded_file_leaves_under_no_name(attack: Attack, name: str) -> None:
    attack.write("private/x.py", "canary_6617 = 1\n")
    (attack.site.repo / "src" / "link.py").symlink_to("../private/x.py")
    before = attack.tree()
    error = await _send_refused(attack, files=(name,), text="canary_6617 = 1")
    assert isinstance(error, PolicyRefusal) and error.rule in ("exclude", "exclude.paths")
    assert name not in error.message and "private" not in error.message
    attack.check(before, sent=0)
    await attack.site.gateway().send(attack.site.request(files=("src/a.py",)))
    attack.check(before, sent=1)
    assert b"canary_6617" not in attack.site.everything_written()


async def test_a_hostile_endpoint_bills_no_more_than_the_bound(attack: Attack) -> None:
    attack.site.usage = {"prompt_tokens": 10**12, "completion_tokens": -5, "total_tokens": 10**15}
    before = attack.tree()
    result = await attack.refactor()
    assert result.first_receipt is not None and result.receipt is not None
    receipts = (result.first_receipt, result.receipt)
    assert [receipt.input_tokens for receipt in receipts] == [len(body) for body in attack.site.received]
    attack.check(before, sent=2)


@pytest.mark.parametrize(
    "body",
    [b"\x1f\x8b" + b"\0" * 100, b"[" * 200_000, b'{"choices":' * 70 + b"1" + b"}" * 70, b"x" * (11 << 20), b"\xff\xfe"],
    ids=["gzip", "deep", "nested", "endless", "not-text"],
)
async def test_a_reply_that_is_a_bomb_is_an_error(attack: Attack, body: bytes) -> None:
    def answer(request: Request) -> Response:
        attack.site.received.append(request.get_data())
        return Response(body, 200, content_type="application/json")

    attack.site.server.clear()
    attack.site.server.expect_request("/v1/chat/completions").respond_with_handler(answer)
    before = attack.tree()
    with pytest.raises(GatewayError):
        await attack.site.gateway().send(attack.site.request())
    attack.check(before, sent=1)
