"""`$/progress` for long work, only where the client shows it, and never in the way of the work itself.

String tokens, because Zed takes no numbers; created when there is something to report, so that an update without
change stays silent; the client's answer to `create` is not waited for. Source: ty's notes on clients.
"""

from __future__ import annotations

import time
import uuid
from types import TracebackType
from typing import TYPE_CHECKING

from lsprotocol import types

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

_INTERVAL = 0.2


class Progress:
    """An async context: `report` or `note` inside it; the end is told on the way out."""

    begun = False
    """Whether there was anything to tell, shown or not."""

    def __init__(self, server: Server, title: str) -> None:
        self._server = server
        self._title = title
        window = server.client_capabilities.window
        self._shown = bool(window and window.work_done_progress)
        self._token: str | None = None
        self._last = 0.0

    async def __aenter__(self) -> Progress:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            self._send(types.WorkDoneProgressEnd())

    def report(self, stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if total <= 0 or (now - self._last < _INTERVAL and done < total):
            return
        self._last = now
        self.note(f"{stage} {done}/{total}", min(100, 100 * done // total))

    def note(self, message: str, share: int | None = None) -> None:
        """Tell how things stand; `share` in per cent, or None for work whose length is not known."""
        self.begun = True
        if not self._shown:
            return
        if self._token is None:
            self._token = uuid.uuid4().hex
            params = types.WorkDoneProgressCreateParams(token=self._token)
            self._server.protocol.send_request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)
            self._send(types.WorkDoneProgressBegin(title=self._title, message=message, percentage=share))
        else:
            self._send(types.WorkDoneProgressReport(message=message, percentage=share))

    def _send(
        self, value: types.WorkDoneProgressBegin | types.WorkDoneProgressReport | types.WorkDoneProgressEnd
    ) -> None:
        assert self._token is not None
        self._server.progress(types.ProgressParams(token=self._token, value=value))
