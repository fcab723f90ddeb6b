"""Fetches files over HTTP: resumes, caps sizes, checks hashes, follows few redirects. The only HTTP of `models/`.

A file arrives as `<target>.part` and gets its name once its hash was checked. A part that is there already is
continued with a Range request (RFC 9110, section 14). Knows nothing of models, packages or hubs.
"""

from __future__ import annotations

import contextlib
import hashlib
import ipaddress
import json
import os
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from pointsman.errors import PointsmanError, VerificationError

if TYPE_CHECKING:
    import httpx2

_BLOCK = 1 << 20
_REDIRECTS = 5
_ATTEMPTS = 4
_PAUSE = 0.5
"""Seconds before the second attempt; doubled before each further one. An attempt that got bytes does not count."""
_REPLY_LIMIT = 8 * _BLOCK


class Refused(PointsmanError):
    """The server or the way to it wants credentials or certificates that this downloader does not have."""


class Stopped(PointsmanError):
    """The caller asked to stop; the part stays and the next pull continues it."""

    def __init__(self) -> None:
        super().__init__("stopped", remedy="pull again to continue where it stopped")


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """One file to fetch. Hashes are lower-case hexadecimal; "" where none is known beforehand."""

    url: str
    limit: int
    """Bytes after which the server is not believed any more."""
    size: int = 0
    """Bytes of the whole file, 0 where that is not known beforehand."""
    sha256: str = ""
    git_sha1: str = ""
    """Id of the file as a git blob, which hubs know of small files."""
    headers: Mapping[str, str] | None = None
    """Sent to the address's own origin only, never after a redirect elsewhere."""

    @property
    def verifiable(self) -> bool:
        return bool(self.sha256 or self.git_sha1)


class Downloader:
    """One connection pool. `close` when done. Proxies and certificates come from the environment.

    Args:
        certificates: a file with certificate authorities to trust besides the usual ones; "" for none.
    """

    def __init__(self, *, certificates: str = "", should_stop: Callable[[], bool] | None = None) -> None:
        import httpx2

        context = httpx2.create_ssl_context()
        if certificates:
            try:
                context.load_verify_locations(cafile=certificates)
            except (OSError, ssl.SSLError) as error:
                raise PointsmanError(f"cannot read the certificates in {certificates}") from error
        self._client = httpx2.Client(verify=context, timeout=httpx2.Timeout(60, connect=20))
        self._should_stop = should_stop or (lambda: False)

    def close(self) -> None:
        self._client.close()

    def fetch(self, remote: Remote, target: Path, on_bytes: Callable[[int], None]) -> str:
        """Bring `remote` to `target`; gives its sha256. `on_bytes` gets the bytes that are here so far.

        Raises `VerificationError` when the bytes are not the expected ones (nothing is kept then), `Refused`,
        `Stopped`, `PointsmanError` when the server cannot be reached (the part is kept), or `OSError`.
        """
        part = target.with_name(target.name + ".part")
        resumed = part.exists()
        self._fill(part, remote, on_bytes)
        digest = self._checked(part, remote)
        if digest is None and resumed:
            # What was left from an earlier attempt may be the wrong half: once more from the start.
            part.unlink()
            self._fill(part, remote, on_bytes)
            digest = self._checked(part, remote)
        if digest is None:
            part.unlink()
            raise VerificationError(f"{target.name} from {_shown(remote.url)} does not match its sha256")
        part.replace(target)
        return digest

    def json(self, url: str, headers: Mapping[str, str] | None = None) -> Any:
        """A JSON reply of at most 8 MB; redirects are not followed. Raises `PointsmanError` or `Refused`."""
        import httpx2

        try:
            with self._client.stream("GET", url, headers=dict(headers or {})) as reply:
                _check_status(reply, url)
                body = b""
                for block in reply.iter_bytes():
                    body += block
                    if len(body) > _REPLY_LIMIT:
                        raise PointsmanError(f"the reply of {_shown(url)} is too long")
        except (httpx2.HTTPError, _Unfinished) as error:
            raise _unreachable(url, error) from error
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise PointsmanError(f"the reply of {_shown(url)} is not JSON") from error

    def _fill(self, part: Path, remote: Remote, on_bytes: Callable[[int], None]) -> None:
        """Get the rest of `part`, trying again after failures that may pass."""
        import httpx2

        failures = 0
        while True:
            before = part.stat().st_size if part.exists() else 0
            try:
                self._attempt(part, remote, on_bytes)
                return
            except (httpx2.HTTPError, _Unfinished) as error:
                grown = part.exists() and part.stat().st_size > before
                failures = 0 if grown else failures + 1
                if failures >= _ATTEMPTS or _is_certificate_problem(error):
                    raise _unreachable(remote.url, error) from error
            time.sleep(_PAUSE * 2**failures)

    def _attempt(self, part: Path, remote: Remote, on_bytes: Callable[[int], None]) -> None:
        have = part.stat().st_size if part.exists() else 0
        with self._open(remote, have) as reply:
            if reply.status_code == 416 and have:  # the part is as long as the file, or longer
                if remote.verifiable or have == remote.size:
                    return  # a hash will tell
                part.unlink()
                raise _Unfinished("what was left from an earlier attempt is not the file")
            if reply.headers.get("content-encoding", "identity") != "identity":
                raise PointsmanError(f"{_shown(remote.url)} came compressed, which was not asked for")
            continued = reply.status_code == 206 and _range_start(reply) == have
            if reply.status_code == 206 and not continued:
                part.unlink(missing_ok=True)
                raise _Unfinished("the server sent another range than the one asked for")
            have = have if continued else 0
            length = reply.headers.get("content-length", "")
            expected = have + int(length) if length.isdigit() else None
            if expected is not None and expected > remote.limit:
                self._too_long(part, remote)
            chunked = "chunked" in reply.headers.get("transfer-encoding", "")
            if expected is None and not (chunked or remote.size or remote.verifiable):
                raise PointsmanError(f"{_shown(remote.url)} does not say how long it is")
            with part.open("ab" if continued else "wb") as file:
                for block in reply.iter_raw():
                    have += len(block)
                    if have > remote.limit:
                        self._too_long(part, remote)
                    file.write(block)
                    on_bytes(have)
                    if self._should_stop():
                        raise Stopped
                file.flush()
                os.fsync(file.fileno())
            if have < max(expected or 0, remote.size):
                raise _Unfinished("the connection ended early")

    @contextlib.contextmanager
    def _open(self, remote: Remote, have: int) -> Iterator[httpx2.Response]:
        """The reply after redirects: to https only, or on from one loopback address to another."""
        url = remote.url
        headers = {"Accept-Encoding": "identity", **(remote.headers or {})}
        if have:
            headers["Range"] = f"bytes={have}-"
        for _ in range(_REDIRECTS + 1):
            with self._client.stream("GET", url, headers=headers) as reply:
                if not reply.has_redirect_location:
                    _check_status(reply, url)
                    yield reply
                    return
                following = urljoin(url, reply.headers["location"])
            if not (is_https(following) or (is_loopback(url) and is_loopback(following))):
                raise PointsmanError(f"{_shown(url)} redirects to an address without https")
            if origin(following) != origin(url):
                headers = {k: v for k, v in headers.items() if k in ("Accept-Encoding", "Range")}
            url = following
        raise PointsmanError(f"{_shown(remote.url)} redirects too often")

    def _too_long(self, part: Path, remote: Remote) -> None:
        part.unlink(missing_ok=True)
        raise VerificationError(f"{_shown(remote.url)} is longer than the {remote.limit} bytes it may have")

    def _checked(self, part: Path, remote: Remote) -> str | None:
        """The sha256 of `part`, or None when it is not what was expected."""
        digest = sha256_of(part, self._should_stop)
        if remote.sha256:
            return digest if digest == remote.sha256 else None
        if remote.git_sha1 and _git_blob(part) != remote.git_sha1:
            return None
        return digest


class _Unfinished(Exception):
    """The reply ended before the file did."""


def sha256_of(path: Path, should_stop: Callable[[], bool] = lambda: False) -> str:
    """Raises `OSError`, or `Stopped` when `should_stop` says so between two blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            if should_stop():
                raise Stopped
    return digest.hexdigest()


def _git_blob(path: Path) -> str:
    content = path.read_bytes()  # hubs give blob ids of small files only
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def is_https(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and bool(parts.hostname)


def is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _shown(url: str) -> str:
    """The address without user, password and query, which may hold credentials."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}{parts.path}"


def _check_status(reply: httpx2.Response, url: str) -> None:
    status = reply.status_code
    if status in (200, 206) or (status == 416 and "range" in reply.request.headers):
        return
    if status in (401, 403, 407):
        raise Refused(f"{_shown(url)} refused access ({status})")
    if status == 404:
        raise PointsmanError(f"{_shown(url)} does not exist (404)")
    if status == 429 or status >= 500:
        raise _Unfinished(f"the server answered {status}")
    raise PointsmanError(f"{_shown(url)} answered {status}")


def _range_start(reply: httpx2.Response) -> int:
    """First byte of a 206 reply ("bytes 5-9/10"), -1 when it does not say."""
    unit, _, rest = reply.headers.get("content-range", "").partition(" ")
    start = rest.partition("-")[0]
    return int(start) if unit == "bytes" and start.isdigit() else -1


def _is_certificate_problem(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return True
        error = error.__cause__ or error.__context__
    return False


def _unreachable(url: str, error: Exception) -> PointsmanError:
    if _is_certificate_problem(error):
        return Refused(f"the certificate of {_shown(url)} is not trusted")
    reason = str(error) or type(error).__name__
    return PointsmanError(f"{_shown(url)} cannot be read: {reason}", remedy="check the network and pull again")
