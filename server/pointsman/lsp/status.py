"""`pointsman/didChangeStatus` and `pointsman/status`: one line about how things are, for a status bar."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from pointsman.errors import PointsmanError
from pointsman.host.api import Nothing
from pointsman.lsp import loading
from pointsman.lsp.messages import DID_CHANGE_STATUS, STATUS

if TYPE_CHECKING:
    from pointsman.lsp.server import Server

Kind = Literal["Normal", "Warning", "Error", "Inactive"]


class Status:
    """What is shown. Sends only changes."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._kind: Kind = "Normal"
        self._message = ""
        self._busy = 0

    def plain(self) -> dict[str, Any]:
        return {"kind": self._kind, "busy": self._busy > 0, "message": self._message}

    def show(self, kind: Kind, message: str = "") -> None:
        if (kind, message) != (self._kind, self._message):
            self._kind, self._message = kind, message
            self._send()

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Busy while inside. An error of ours becomes the message; success clears an older error."""
        self._busy += 1
        if self._busy == 1:
            self._send()
        try:
            with loading.watched(self._server):
                yield
            if self._kind == "Error":
                self.show("Normal")
        except PointsmanError as error:
            self.show("Error", str(error))
            raise
        finally:
            self._busy -= 1
            if self._busy == 0:
                self._send()

    def _send(self) -> None:
        self._server.protocol.notify(DID_CHANGE_STATUS, self.plain())


def register(server: Server) -> None:
    @server.feature(STATUS)
    async def status(params: Any) -> dict[str, Any]:
        from pointsman.host.wire import to_plain

        host = await (await server.services()).host.status(Nothing())
        return {**server.status.plain(), "host": to_plain(host)}
