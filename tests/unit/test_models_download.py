"""The downloader against a real server on loopback: resuming, hashes, sizes, redirects, refusals."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from pointsman.errors import PointsmanError, VerificationError
from pointsman.models import download
from pointsman.models.download import Downloader, Refused, Remote, Stopped
from tests.models_http import FileServer, serving, sha256

CONTENT = bytes(range(256)) * 2000
LIMIT = 10**7


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    with serving(monkeypatch) as server:
        server.files["/file"] = CONTENT
        yield server


@pytest.fixture
def downloader() -> Iterator[Downloader]:
    with closing(Downloader()) as downloader:
        yield downloader


def remote(server: FileServer, path: str = "/file", **changes: object) -> Remote:
    return Remote(url=server.url + path, **{"limit": LIMIT, "sha256": sha256(CONTENT), **changes})  # type: ignore[arg-type]


def nothing(_: int) -> None: ...


def test_a_file_arrives_whole(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    steps: list[int] = []
    assert downloader.fetch(remote(server), tmp_path / "got", steps.append) == sha256(CONTENT)
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert steps == sorted(steps) and steps[-1] == len(CONTENT)
    assert [p.name for p in tmp_path.iterdir()] == ["got"]


def test_a_broken_connection_is_continued_with_a_range(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    server.cut = 131072
    downloader.fetch(remote(server), tmp_path / "got", nothing)
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert [seen.headers.get("range") for seen in server.seen] == [None, "bytes=131072-"]


def test_a_stopped_download_is_continued_by_the_next(server: FileServer, tmp_path: Path) -> None:
    calls = iter([False, True])
    with closing(Downloader(should_stop=lambda: next(calls))) as first, pytest.raises(Stopped):
        server.pause = 0.01
        first.fetch(remote(server), tmp_path / "got", nothing)
    have = (tmp_path / "got.part").stat().st_size
    assert 0 < have < len(CONTENT) and not (tmp_path / "got").exists()
    with closing(Downloader()) as second:
        second.fetch(remote(server), tmp_path / "got", nothing)
    assert server.seen[-1].headers["range"] == f"bytes={have}-"
    assert (tmp_path / "got").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_over(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "got.part").write_bytes(CONTENT[:1000])
    downloader.fetch(remote(server), tmp_path / "got", nothing)
    assert (tmp_path / "got").read_bytes() == CONTENT


def test_a_part_that_is_complete_already_needs_no_bytes(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    (tmp_path / "got.part").write_bytes(CONTENT)
    assert downloader.fetch(remote(server), tmp_path / "got", nothing) == sha256(CONTENT)


def test_a_wrong_part_is_thrown_away_and_fetched_anew(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    (tmp_path / "got.part").write_bytes(b"x" * 1000)
    downloader.fetch(remote(server), tmp_path / "got", nothing)
    assert (tmp_path / "got").read_bytes() == CONTENT
    assert [seen.headers.get("range") for seen in server.seen] == ["bytes=1000-", None]


class Lengthless(FileServer):
    """Does not say how long a file is: its end is that of the connection, after the first `cut` bytes once."""

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        self._send(handler, self.files[handler.path])
        handler.close_connection = True


@pytest.fixture
def lengthless(server: FileServer) -> Iterator[FileServer]:
    lengthless = Lengthless(files=server.files, cut=131072)
    stop = lengthless.start()
    yield lengthless
    stop()


def test_a_file_of_known_size_that_ends_early_is_no_whole_file(
    lengthless: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    known = remote(lengthless, sha256="", size=len(CONTENT))
    assert downloader.fetch(known, tmp_path / "got", nothing) == sha256(CONTENT)


def test_without_size_and_hash_a_reply_must_say_its_length(
    lengthless: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    with pytest.raises(PointsmanError, match="how long"):
        downloader.fetch(remote(lengthless, sha256=""), tmp_path / "got", nothing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("size", [0, len(CONTENT)])
def test_a_part_past_the_end_that_no_hash_vouches_for_is_thrown_away(
    server: FileServer, downloader: Downloader, tmp_path: Path, size: int
) -> None:
    (tmp_path / "got.part").write_bytes(b"x" * (len(CONTENT) + 1))
    downloader.fetch(remote(server, sha256="", size=size), tmp_path / "got", nothing)
    assert (tmp_path / "got").read_bytes() == CONTENT


def test_wrong_bytes_are_refused_and_not_kept(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.files["/file"] = CONTENT[:-1] + b"?"
    with pytest.raises(VerificationError, match="does not match its sha256"):
        downloader.fetch(remote(server), tmp_path / "got", nothing)
    assert list(tmp_path.iterdir()) == []


def test_a_git_blob_id_stands_in_for_a_missing_sha256(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    blob = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT, usedforsecurity=False).hexdigest()
    assert downloader.fetch(remote(server, sha256="", git_sha1=blob), tmp_path / "a", nothing) == sha256(CONTENT)
    with pytest.raises(VerificationError):
        downloader.fetch(remote(server, sha256="", git_sha1="0" * 40), tmp_path / "b", nothing)


def test_a_file_longer_than_its_limit_is_cut_off(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    with pytest.raises(VerificationError, match="longer than"):
        downloader.fetch(remote(server, limit=len(CONTENT) - 1), tmp_path / "got", nothing)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("status", "kind"), [(401, Refused), (403, Refused), (404, PointsmanError)])
def test_a_refusal_is_not_tried_again(
    server: FileServer, downloader: Downloader, tmp_path: Path, status: int, kind: type[PointsmanError]
) -> None:
    server.status["/file"] = status
    with pytest.raises(kind, match=str(status)):
        downloader.fetch(remote(server), tmp_path / "got", nothing)
    assert len(server.seen) == 1


def test_a_server_in_trouble_is_tried_a_few_times(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.status["/file"] = 503
    with pytest.raises(PointsmanError, match="503") as caught:
        downloader.fetch(remote(server), tmp_path / "got", nothing)
    assert len(server.seen) == 4 and "pull again" in caught.value.remedy


def test_nobody_there(downloader: Downloader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_PAUSE", 0.0)
    with pytest.raises(PointsmanError, match="cannot be read"):
        downloader.fetch(Remote(url="http://127.0.0.1:1/file", limit=9), tmp_path / "got", nothing)


def test_a_redirect_takes_no_token_to_another_origin(
    server: FileServer, downloader: Downloader, tmp_path: Path
) -> None:
    other = FileServer(files={"/file": CONTENT})
    stop = other.start()
    server.redirects = {"/here": "/there", "/there": other.url + "/file"}
    headers = {"Authorization": "Bearer canary"}
    downloader.fetch(remote(server, "/here", headers=headers), tmp_path / "got", nothing)
    stop()
    assert [seen.headers.get("authorization") for seen in server.seen] == ["Bearer canary", "Bearer canary"]
    assert [seen.headers.get("authorization") for seen in other.seen] == [None]


@pytest.mark.parametrize("target", ["http://example.invalid/file", "file:///etc/passwd", "//example.invalid/x"])
def test_a_redirect_away_from_https_is_refused(
    server: FileServer, downloader: Downloader, tmp_path: Path, target: str
) -> None:
    server.redirects["/here"] = target
    with pytest.raises(PointsmanError, match="without https"):
        downloader.fetch(remote(server, "/here"), tmp_path / "got", nothing)


def test_redirects_in_a_circle_end(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.redirects["/here"] = "/here"
    with pytest.raises(PointsmanError, match="too often"):
        downloader.fetch(remote(server, "/here"), tmp_path / "got", nothing)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://localhost:1/", True),
        ("http://127.8.8.8/", True),
        ("http://[::1]/", True),
        ("http://127.0.0.1.example.org/", False),
        ("http://localhost@example.org/", False),
        ("http://10.0.0.1/", False),
    ],
)
def test_what_counts_as_this_machine(url: str, expected: bool) -> None:
    assert download.is_loopback(url) is expected


def test_messages_hold_no_credentials_of_an_address(server: FileServer, downloader: Downloader, tmp_path: Path) -> None:
    server.status["/file"] = 404
    secret = remote(server, "/file?token=canary").url.replace("http://", "http://user:canary@")
    with pytest.raises(PointsmanError) as caught:
        downloader.fetch(Remote(url=secret, limit=9), tmp_path / "got", nothing)
    assert "canary" not in str(caught.value)


def test_json_is_parsed_and_not_redirected(server: FileServer, downloader: Downloader) -> None:
    server.files["/good"] = b'{"a": [1]}'
    server.files["/bad"] = b"{"
    server.redirects["/moved"] = "/good"
    assert downloader.json(server.url + "/good") == {"a": [1]}
    for path in ("/bad", "/moved", "/missing"):
        with pytest.raises(PointsmanError):
            downloader.json(server.url + path)
