"""Promises with a number: addresses, bodies and records, quota under load, kill -9 while sending, no network at all.

Everyday runs use small numbers; the whole promise is run with POINTSMAN_TEST_KILLS=200 and POINTSMAN_TEST_SESSIONS=500.
"""

from __future__ import annotations

import base64
import contextlib
import json
import multiprocessing
import os
import random
import signal
import subprocess
import sys
import urllib.parse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pointsman.chat.types import Question
from pointsman.errors import GatewayError, PointsmanError, PolicyRefusal
from pointsman.gateway.audit import AuditLog
from pointsman.gateway.quota import Charge, QuotaStore
from pointsman.host.api import UsesReply
from pointsman.policy.schema import Quota
from pointsman.refactor.types import Part, RefactorQuery
from tests.gateway_site import Site, sha256
from tests.pipelines import hit, place, snapshot

from .conftest import Attack, GatewayHost

ROOT = Path(__file__).parents[2]


def tricks(port: int, good: int) -> list[str]:
    """Ways to write an address so that a reader sees the good one and a client goes to the other; or the reverse."""
    return [
        *(f"http://127.0.0.1:{good}@127.0.0.1:{port}/v1", f"http://user:pw@127.0.0.1:{port}/v1"),
        *(f"http://127.0.0.1:{port}\\@127.0.0.1:{good}/v1", f"http://127.0.0.1:{port}#@127.0.0.1:{good}/v1"),
        *(f"http://127.0.0.1:{port}?@127.0.0.1:{good}/v1", f"http://2130706433:{port}/v1", f"http://0x7f000001:{port}"),
        *(f"http://0x7f.0.0.1:{port}/v1", f"http://0177.0.0.1:{port}/v1", f"http://127.1:{port}/v1"),
        *(f"http://127.0.1:{port}/v1", f"http://127.0.0.01:{port}/v1", f"http://0:{port}/v1", f"http://0.0.0.0:{port}"),
        *(f"http://[::ffff:127.0.0.1]:{port}/v1", f"http://[::ffff:7f00:1]:{port}/v1", f"http://[::]:{port}/v1"),
        *(f"http://[0:0:0:0:0:0:0:1]:{port}/v1", f"http://[::1%25lo]:{port}/v1", f"http://localhost.:{port}/v1"),
        *(f"http://LOCALHOST:{port}/v1", f"http://localhost.localdomain:{port}/v1", f"HTTP://127.0.0.1:{port}/v1"),
        *(f"http://127.0.0.1.nip.io:{port}/v1", f"http://ⅼocalhost:{port}/v1", f"http://①②⑦.⓪.⓪.①:{port}/v1"),
        *(f"http://127。0。0。1:{port}/v1", f"http://xn--lcalhost-n1a:{port}/v1", f"http://127.0.0.1:{port}/../v1"),
        *(f"http://127.0.0.1:{port}/%2e%2e/v1", f"http://127.0.0.1:{port}/v1/./x", f"http://127.0.0.1:{port}//v1"),
        *(f"http://127.0.0.1:{port}/v1?x=1", f"http://127.0.0.1:{port}/v1#x", f"http://127.0.0.1:{port}/v1;x"),
        *(f"http://127.0.0.1:0{port}/v1", f"http://127.0.0.1:{port}:{good}/v1", f"http://127.0.0.1:{port} /v1"),
        *(f"http://127.0.0.1\t:{port}/v1", f"//127.0.0.1:{port}/v1", f"127.0.0.1:{port}/v1", f"///127.0.0.1:{port}"),
        *(f"gopher://127.0.0.1:{port}/v1", f"ftp://127.0.0.1:{port}/v1", "file:///etc/passwd", "javascript:alert(1)"),
        *(f"http:127.0.0.1:{port}/v1", f"http:/127.0.0.1:{port}/v1", f"http://127.0.0.1%3a{port}/v1", "http://"),
        *(f"ws://127.0.0.1:{port}/v1", f"unix:///run/x:{port}", f"http://%31%32%37.0.0.1:{port}/v1"),
    ]  # fmt: skip


async def test_no_trick_with_an_address_reaches_another_place(attack: Attack) -> None:
    port, good = attack.elsewhere.port, attack.site.server.port
    urls = tricks(port, good)
    assert len(urls) >= 40
    before = attack.tree()
    for url in urls:
        attack.site.policy(url=json.dumps(url)[1:-1])
        with pytest.raises(PolicyRefusal) as refused:
            await attack.site.gateway().send(attack.site.request())
        assert refused.value.rule == "policy.problem", url
    assert attack.reached == []
    attack.check(before, sent=0)
    attack.site.policy()
    await attack.site.gateway().send(attack.site.request())
    attack.check(before, sent=1)  # the plain address works


async def test_every_body_has_one_record_and_every_record_one_body(attack: Attack) -> None:
    gateway, dice = attack.site.gateway(), random.Random(9)
    attack.site.policy(quota="requests_per_day = 20")
    before = attack.tree()
    for number in range(30):
        changes: dict[str, Any] = dice.choice(({}, {"files": ("private/x.py",)}, {"stream": True}, {"text": "\ud800"}))
        with contextlib.suppress(PolicyRefusal, GatewayError):
            await gateway.send(attack.site.request(**{"text": f"request {number}", **changes}))
    records = attack.site.records()
    intents = [r for r in records if r["kind"] == "intent"]
    assert intents and {r["rule"] for r in records if r["kind"] == "refused"} == {"exclude.paths", "gateway.gateway"}
    assert sorted(r["body_sha256"] for r in intents) == sorted(map(sha256, attack.site.received))
    outcomes = {r["id"]: r for r in records if r["kind"] == "outcome"}
    assert {r["id"] for r in intents} == set(outcomes) and len(intents) + sum(
        r["kind"] == "refused" for r in records
    ) == 30
    assert all(outcomes[r["id"]]["body_sha256"] == r["body_sha256"] for r in intents)
    attack.check(before, sent=len(intents))


def _attempts(file: Path, number: int) -> int:
    """How many of 64 threads' attempts are granted in this process."""
    store, limits = QuotaStore(file), Quota(requests_per_day=37, tokens_per_month=10_000)

    def one(thread: int) -> int:
        try:
            store.reserve(f"p{number}t{thread}", Charge(tokens=10, micro_usd=5), limits)
        except PolicyRefusal:
            return 0
        return 1

    with ThreadPoolExecutor(64) as pool:
        return sum(pool.map(one, range(64)))


def test_64_threads_in_4_processes_get_exactly_the_limit(tmp_path: Path) -> None:
    file = tmp_path / "quota.sqlite3"
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        granted = pool.starmap(_attempts, [(file, number) for number in range(4)])
    assert sum(granted) == 37
    used = QuotaStore(file).usage()
    assert (used.day.requests, used.month.tokens, used.day.micro_usd) == (37, 370, 185)


SENDER = """
import asyncio, functools, sys
from pathlib import Path
from pointsman.gateway.gate import Gateway
from pointsman.host.api import ClosedRequest, Message
from pointsman.policy import layers
from pointsman.settings import Paths
home, repo, name = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
paths = Paths(config=home / "config", data=home / "data", cache=home / "cache", run=home / "run").ensure()
load = functools.partial(layers.load, paths, organisation=home / "none.toml", env={})
class NoScan:
    def find(self, text): return iter(())
gateway = Gateway(paths, load, kingfisher=NoScan())
async def main():
    number = 0
    while True:
        message = Message(role="user", content=f"{name} {number}")
        request = ClosedRequest(request_id=f"{name}-{number}", task="refactor", workspace=repo, messages=(message,),
                                files=(), lines=1, max_tokens=5)
        reply = await gateway.send(request)
        print(reply.record_id, flush=True)
        number += 1
asyncio.run(main())
"""


def test_killed_while_sending_no_record_is_lost_and_every_body_is_accounted_for(attack: Attack) -> None:
    site, dice = attack.site, random.Random(5)
    environment = {**os.environ, "VENDOR_KEY": "canary-key-0123456789-not-a-real-one"}
    acknowledged: list[str] = []
    for kill in range(int(os.environ.get("POINTSMAN_TEST_KILLS", "4"))):
        command = [sys.executable, "-c", SENDER, str(site.paths.config.parent), str(site.repo), f"k{kill}"]
        sender = subprocess.Popen(command, stdout=subprocess.PIPE, env=environment)
        assert sender.stdout is not None
        for _ in range(dice.randrange(1, 8)):
            acknowledged.append(sender.stdout.readline().decode().strip())
        sender.stdout.read1(0)
        os.kill(sender.pid, signal.SIGKILL)
        acknowledged += [line.decode() for line in sender.stdout.read().splitlines(keepends=False) if len(line) == 32]
        sender.wait()
        sender.stdout.close()
    verdict = AuditLog(site.paths.audit).verify()
    assert verdict.sound
    records = site.records()
    by_id: dict[str, list[str]] = {}
    for record in records:
        if "id" in record:
            by_id.setdefault(record["id"], []).append(record["kind"])
    assert all(acknowledged) and all(by_id.get(one) == ["intent", "outcome"] for one in acknowledged)
    recorded = {r["body_sha256"] for r in records if r["kind"] == "intent"}
    assert {sha256(body) for body in site.received} <= recorded, "a body left without its record"
    # What nobody settled stays charged: nothing that left is free.
    assert QuotaStore(site.paths.quota).usage().day.requests >= len(site.received)


EXCLUDING = ("exclude", "policy: private/**", "built-in: ", "outside the repository")
"""How the rules begin that keep an excluded file here: the gateway's, and those of the pipelines before it."""


def _forms(canary: str) -> list[bytes]:
    raw = canary.encode()
    return [
        raw, raw.hex().encode(), *(base64.b64encode(b"x" * n + raw)[4 * (n > 0) : -4] for n in range(3)),
        urllib.parse.quote(canary, safe="").encode(), "".join(f"\\u{ord(c):04x}" for c in canary).encode(),
    ]  # fmt: skip


async def test_canaries_of_excluded_files_are_in_no_byte_that_left_or_stayed(attack: Attack) -> None:
    """Scripted sessions of the closed path: each names, opens, previews or sends something of an excluded file."""
    canaries = [f"canary{n:04d}qq" for n in range(40)]
    attack.write("private/x.py", "".join(f"v{n} = '{canary}'\n" for n, canary in enumerate(canaries)))
    attack.write(".env", "\n".join(f"K{n}={canary}" for n, canary in enumerate(canaries)))
    (attack.site.repo / "src" / "link.py").symlink_to("../private/x.py")
    dice, before = random.Random(3), attack.tree()
    names = ["private/x.py", "Private/X.py", "src/link.py", ".env", "src/../.env", "private/x.py~"]
    gateway = attack.site.gateway()
    for number in range(int(os.environ.get("POINTSMAN_TEST_SESSIONS", "60"))):
        name = dice.choice(names)
        action = dice.choice(("send", "preview", "span", "refactor", "stream"))
        with pytest.raises(PolicyRefusal) as refused:
            if action == "refactor":
                await attack.refactor(name)
                continue
            span = {"spans": (_span(name),)} if action == "span" else {"files": ("src/a.py", name)}
            request = attack.site.request(f"see {canaries[number % 40]}", stream=action == "stream", **span)
            await (gateway.preview if action == "preview" else gateway.send)(request)
        assert refused.value.rule.startswith(EXCLUDING), (name, action)
    attack.check(before, sent=0)
    await gateway.send(attack.site.request())
    attack.check(before, sent=1)  # what is not excluded leaves
    everything = attack.site.everything_written() + b"".join(attack.site.received)
    assert not [form for canary in canaries for form in _forms(canary) if form in everything]


async def test_a_hard_link_is_kept_by_its_own_name_alone(attack: Attack) -> None:
    """The limit that docs/security.md states: as with a copy, only its name says what it is, and git delivers none."""
    attack.write("private/x.py", "v = 'canary0000qq'\n")
    for name in ("copy.pem", "copy.py"):
        (attack.site.repo / "src" / name).hardlink_to(attack.site.repo / "private" / "x.py")
    before, gateway = attack.tree(), attack.site.gateway()
    with pytest.raises(PolicyRefusal) as refused:
        await gateway.send(attack.site.request(files=("src/copy.pem",)))
    assert refused.value.rule.startswith(EXCLUDING)
    attack.check(before, sent=0)
    await gateway.send(attack.site.request(files=("src/copy.py",)))
    attack.check(before, sent=1)


async def test_canaries_around_what_may_leave_stay(attack: Attack) -> None:
    """Scripted sessions that do send: of several files, with what the index says is around, with tests, and questions.
    What the index and the editor offer is in part excluded, in part kept local, and none of that leaves."""
    canaries = [f"canary{n:04d}qq" for n in range(12)]
    held = ("private/x.py", "kept/y.py", "src/link.py", "tests/test_a.py")
    attack.site.policy(extra='[route]\nlocal_paths = ["kept/**", "tests/**"]\n')
    text = "from b import helper\n\n\ndef area(w):\n    return helper(w)\n"
    attack.write("src/a.py", text)
    attack.write("src/b.py", "def helper(x):\n    return x\n")
    for name in ("private/x.py", "kept/y.py", "tests/test_a.py"):
        attack.write(name, "".join(f"def area_{n}(w): return helper('{c}')\n" for n, c in enumerate(canaries)))
    (attack.site.repo / "src" / "link.py").symlink_to("../private/x.py")
    dice, before = random.Random(5), attack.tree()
    root, answers = attack.site.repo, 0

    def host(number: int) -> GatewayHost:
        made = GatewayHost(attack.site)
        line, canary = number % 12 + 1, canaries[number % 12]
        made.scope["src/a.py"] = tuple(
            replace(place(path, 1 if path == "src/b.py" else line, "helper"), signature="def ")
            for path in ("src/b.py", *held)
        )
        uses = tuple(place(path, line, "area", "call") for path in ("src/b.py", *held))
        made.places["area"] = UsesReply(root=str(root), definitions=(), uses=uses)
        made.hits = tuple(
            hit(path, f"def area_of_helper(w): return {'w' if path == 'src/b.py' else canary}")
            for path in ("src/b.py", *held)
        )
        return made

    def part(name: str, **more: Any) -> Part:
        known = snapshot((root / name).read_text(), root=root, name=name)
        return Part(snapshot=known, start_line=1, end_line=9, **more)

    for number in range(int(os.environ.get("POINTSMAN_TEST_SESSIONS", "60"))):
        action = dice.choice(("around", "several", "tests", "ask", "new"))
        other = dice.choice(held)
        attack.say("NO CHANGE" if action != "ask" else "The area_of_helper returns w [1].")
        query = RefactorQuery(parts=(part("src/a.py"),), instruction="shorter", target="closed")
        with contextlib.suppress(PointsmanError):
            if action == "ask":
                question = Question(text="What does area_of_helper return?", root=root, target="closed")
                await attack.asked(question, host(number))
            elif action == "several":
                await attack.refactored(replace(query, parts=(*query.parts, part(other))), host(number))
            elif action == "tests":
                reading = replace(query.parts[0], read_only=True)
                await attack.refactored(replace(query, parts=(reading, part("tests/test_a.py"))), host(number))
            elif action == "new":
                await attack.refactored(replace(query, creates=(f"{other}.new",)), host(number))
            else:
                await attack.refactored(query, host(number))
            answers += 1
    assert answers and attack.site.received, "nothing left, so nothing was tried"
    attack.check(before, sent=len(attack.site.received))
    everything = attack.site.everything_written() + b"".join(attack.site.received)
    assert b"src/b.py" in everything, "what may leave did not go along"
    assert not [form for canary in canaries for form in _forms(canary) if form in everything]


def _span(name: str) -> Any:
    from pointsman.host.api import Span

    return Span(path=name, start_line=1, end_line=3)


async def test_a_changed_policy_holds_for_the_next_request(site: Site) -> None:
    """Well below a second: nothing is kept of a policy between two requests."""
    gateway = site.gateway()
    await gateway.send(site.request())
    site.policy(extra="[route]\nlocal_paths = ['src/**']\n")
    with pytest.raises(PolicyRefusal):
        await gateway.send(site.request())
    site.policy()
    await gateway.send(site.request())
    assert len(site.received) == 2


GUARDED = """
import socket, sys
def guard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind"):
        if event == "socket.getaddrinfo" or getattr(arguments[0], "family", None) != socket.AF_UNIX:
            sys.stderr.write(f"NETWORK {event}\\n")
            raise RuntimeError("the network was touched")
sys.addaudithook(guard)
from pointsman.cli.app import main
sys.argv = ["pointsman", *sys.argv[1:]]
try:
    code = main()
except SystemExit as end:
    code = end.code
remote = ("httpcore2", "pointsman.gateway.egress", "pointsman.gateway.network")
loaded = [name for name in remote if name in sys.modules]
sys.stderr.write(f"LOADED {loaded}\\n")
sys.exit(code)
"""


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["policy", "show", "."], 0),
        (["policy", "explain", ".", "--target", "closed"], 0),
        (["policy", "trust", "."], 0),
        (["policy", "check", "."], 0),
        (["policy", "add-endpoint"], 0),
        (["audit", "list"], 0),
        (["audit", "verify"], 0),
        (["models", "list"], 0),
        (["models", "pull"], 3),
    ],
)
def test_local_only_touches_no_network_and_loads_no_remote_module(
    tmp_path: Path, arguments: list[str], code: int
) -> None:
    home = tmp_path / "home"
    (home / "config").mkdir(parents=True)
    (home / "config" / "policy.toml").write_text("version = 1\nlocal_only = true\n")
    done = subprocess.run(
        [sys.executable, "-c", GUARDED, *arguments],
        env={**os.environ, "POINTSMAN_HOME": str(home)}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert "NETWORK" not in done.stderr and "LOADED []" in done.stderr
