"""A user's home, a trusted workspace and a recording endpoint on loopback, for the gateway's flow tests."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pointsman.gateway.finder import Kingfisher
from pointsman.gateway.gate import Gateway, Retry
from pointsman.host.api import ClosedRequest, Message
from pointsman.observe.logs import log_to_file
from pointsman.policy import layers
from pointsman.policy.trust import Trust
from pointsman.settings import Paths

LOGGED = "the log is kept, debugging included"
KEY = "canary-key-0123456789-not-a-real-one"
POLICY = """
version = 1
[closed]
enabled = true
tasks = ["refactor", "chat"]
[[closed.endpoints]]
name = "vendor"
base_url = "{url}"
region = "eu"
models = ["big-1", "big-2"]
key = "{key}"
usd_per_mtok = {{ input = 1.0, output = 10.0 }}
{entry}
[closed.quota]
{quota}
[exclude]
paths = ["private/**"]
[review]
outbound = "{outbound}"
"""


@functools.cache
def _kingfisher(folder: Path) -> Kingfisher:
    return Kingfisher(folder)


@pytest.fixture(scope="session")
def kingfisher(tmp_path_factory: pytest.TempPathFactory) -> Kingfisher:
    return _kingfisher(tmp_path_factory.getbasetemp() / "kingfisher")


@dataclass
class Site:
    paths: Paths
    repo: Path
    server: HTTPServer
    kingfisher: Kingfisher
    received: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    audit_at_arrival: list[list[dict[str, Any]]] = field(default_factory=list)
    reply: Callable[[dict[str, Any]], str] = lambda body: "done"
    usage: Any = field(default_factory=lambda: {"prompt_tokens": 11, "completion_tokens": 3})

    def policy(
        self,
        *,
        quota: str = "",
        outbound: str = "never",
        key: str = "env:VENDOR_KEY",
        extra: str = "",
        entry: str = "",
        url: str = "",
    ) -> None:
        """`entry` goes into the endpoint's table, `extra` after everything."""
        url = url or self.server.url_for("/v1")
        text = POLICY.format(url=url, quota=quota, outbound=outbound, key=key, entry=entry) + extra
        (self.paths.config / "policy.toml").write_text(text)

    def gateway(self, **options: Any) -> Gateway:
        options.setdefault("retry", Retry(first_wait=0.01))
        load = functools.partial(layers.load, self.paths, organisation=self.repo.parent / "none.toml", env={})
        return Gateway(self.paths, load, kingfisher=self.kingfisher, **options)

    def request(self, text: str = "make it shorter", **changes: Any) -> ClosedRequest:
        values: dict[str, Any] = {
            "request_id": "r-1",
            "task": "refactor",
            "workspace": str(self.repo),
            "messages": (Message(role="system", content="You change code."), Message(role="user", content=text)),
            "files": ("src/a.py",),
            "lines": 50,
            "max_tokens": 100,
        }
        return ClosedRequest(**values | changes)

    def answer(self, request: Request) -> Response:
        body = request.get_data()
        self.received.append(body)
        self.headers.append(dict(request.headers))
        self.audit_at_arrival.append(self.records())
        message = {"role": "assistant", "content": self.reply(json.loads(body))}
        content: dict[str, Any] = {"choices": [{"message": message}]}
        if self.usage is not None:
            content["usage"] = self.usage
        return Response(json.dumps(content), 200, mimetype="application/json")

    def serve(self) -> None:
        self.server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self.answer)

    def records(self) -> list[dict[str, Any]]:
        """Read straight from the disk, as another process would."""
        lines = [line for path in sorted(self.paths.audit.glob("*.jsonl")) for line in path.read_bytes().splitlines()]
        return [json.loads(line)["record"] for line in lines]

    def everything_written(self) -> bytes:
        """All bytes below the home, the log among them, but for the policy, the trust store and the finder's rules."""
        folders = (self.paths.data, self.paths.run, self.paths.cache)
        files = [p for folder in folders for p in folder.rglob("*") if p.is_file() and "secret-rules" not in p.parts]
        written = b"".join(path.read_bytes() for path in files)
        assert LOGGED.encode() in written, "no log was looked at"
        return written


@contextlib.contextmanager
def _file_log(paths: Paths) -> Iterator[None]:
    """The host's log, with everything that can be in it."""
    root, raising = logging.getLogger(), logging.raiseExceptions
    level, before = root.level, list(root.handlers)
    log_to_file(paths.logs / "host.log", logging.DEBUG)
    logging.getLogger("pointsman.gateway").debug(LOGGED)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        logging.raiseExceptions = raising
        root.setLevel(level)
        for handler in set(root.handlers) - set(before):
            root.removeHandler(handler)
            handler.close()


@pytest.fixture
def site(
    tmp_path: Path, httpserver: HTTPServer, kingfisher: Kingfisher, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    monkeypatch.setenv("VENDOR_KEY", KEY)
    home = tmp_path / "home"
    paths = Paths(config=home / "config", data=home / "data", cache=home / "cache", run=home / "run").ensure()
    repo = tmp_path / "repo"
    (repo / "src").mkdir(parents=True)
    (repo / "src" / "a.py").write_text("x = 1\n")
    made = Site(paths, repo, httpserver, kingfisher)
    made.policy()
    made.serve()
    Trust(paths.config).trust(repo)
    with _file_log(paths):
        yield made


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
