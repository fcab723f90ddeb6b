"""JSON-RPC for one editor: exactly one response to each request, and none that quotes a document.

pygls does the dispatching. What it leaves open is closed here: it answers bad params with silence, sends tracebacks
in errors, logs bodies, keeps documents split at form feeds, and cannot cancel a command. Source for the codes: JSON-RPC
2.0 and LSP 3.18.
"""

from __future__ import annotations

import asyncio
import json
import logging
from concurrent.futures import Future
from typing import Any, TypeVar

from lsprotocol import types
from pygls.exceptions import JsonRpcException, JsonRpcMethodNotFound
from pygls.protocol import LanguageServerProtocol
from pygls.protocol.language_server import lsp_method

from pointsman.errors import PointsmanError, PolicyRefusal
from pointsman.lsp.messages import MESSAGES

log = logging.getLogger(__name__)

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602
INTERNAL_ERROR, NOT_INITIALIZED, REQUEST_FAILED, CANCELLED = -32603, -32002, -32803, -32800

T = TypeVar("T")


class Protocol(LanguageServerProtocol):
    """Takes message bodies by `receive`; the transport reads them and the writer is pygls's own seam."""

    # Documents are ours (session.py, positions.py): pygls must not keep a second copy of each.
    lsp_text_document__did_open = None  # type: ignore[assignment]
    lsp_text_document__did_change = None  # type: ignore[assignment]
    lsp_text_document__did_close = None  # type: ignore[assignment]
    lsp_notebook_document__did_open = None  # type: ignore[assignment]
    lsp_notebook_document__did_change = None  # type: ignore[assignment]
    lsp_notebook_document__did_close = None  # type: ignore[assignment]

    exit_code: int | None = None
    """Set by `exit`: 0 after `shutdown`, else 1."""
    _greeted = False

    def receive(self, body: bytes) -> None:
        """One message. Never raises; whatever is wrong with a request becomes its response."""
        try:
            message = json.loads(body)
        except (ValueError, RecursionError):
            self.refuse(None, PARSE_ERROR, "the message is not JSON")
            return
        if not isinstance(message, dict) or message.get("jsonrpc") != self.VERSION:
            self.refuse(_id(message), INVALID_REQUEST, "not a JSON-RPC 2.0 message")
        elif "method" not in message:
            self._receive_reply(message)
        elif "id" in message and _id(message) is None:
            self.refuse(None, INVALID_REQUEST, "the id is neither a number nor a string")
        else:
            self._receive_call(message, _id(message), message["method"])

    def refuse(self, msg_id: int | str | None, code: int, text: str, data: Any = None) -> None:
        """Answer with an error. `msg_id` None stands for a message whose id could not be read."""
        error: dict[str, Any] = {"code": code, "message": text}
        if data is not None:
            error["data"] = data
        self._send_data({"jsonrpc": self.VERSION, "id": msg_id, "error": error})

    async def settle(self, seconds: float = 10.0) -> None:
        """Before the connection ends: each request still open gets its response, `shutdown` a true one."""
        open_now: list[Any] = list(self._request_futures.values())
        pending = [future for future in open_now if isinstance(future, asyncio.Future)]
        if not self._shutdown:
            for future in pending:
                future.cancel()
        if pending:
            await asyncio.wait(pending, timeout=seconds)

    def structured(self, value: Any, shape: type[T]) -> T:
        """What a client sent inside of a message. Raises `InvalidParams`."""
        try:
            made: T = self._converter.structure(value, shape)
            return made
        except Exception as error:  # cattrs raises groups of whatever its hooks raise
            raise InvalidParams(f"this has not the shape {shape.__name__}") from error

    def get_message_type(self, method: str) -> type[Any] | None:  # type: ignore[override]
        return MESSAGES.get(method) or super().get_message_type(method)

    def _receive_call(self, message: dict[str, Any], msg_id: int | str | None, method: Any) -> None:
        fault = self._fault(method)
        if fault is not None:
            if msg_id is not None:
                self.refuse(msg_id, *fault)
            return
        if method == types.EXIT:
            self.exit_code = 0 if self._shutdown else 1
            return
        kind = self.get_message_type(method)
        if msg_id is not None and kind is not None and not hasattr(kind, "id"):
            self.refuse(msg_id, INVALID_REQUEST, f"{method} is a notification and takes no id")
            return
        try:
            structured = self._converter.structure(message, kind) if kind else None
        except Exception as error:
            # Whatever cattrs raises quotes the value; only its type is kept.
            log.warning("bad params for %s: %s", method, type(error).__name__)
            if msg_id is not None:
                self.refuse(msg_id, INVALID_PARAMS, f"bad params for {method}")
            return
        if structured is None:
            return
        if method == types.INITIALIZE:
            self._greeted = True
        self.handle_message(structured)
        if method == types.SHUTDOWN:
            self._shutdown = True  # at once, for `exit` may be the next message already

    def _fault(self, method: Any) -> tuple[int, str] | None:
        """Why the call cannot be taken now, as a code and a text."""
        if not isinstance(method, str):
            return INVALID_REQUEST, "the method is not a string"
        if method == types.EXIT:
            return None
        if self._shutdown:
            return INVALID_REQUEST, "the server is shutting down"
        if not self._greeted and method != types.INITIALIZE:
            return NOT_INITIALIZED, "initialize comes first"
        if self._greeted and method == types.INITIALIZE:
            return INVALID_REQUEST, "already initialized"
        if method == types.CANCEL_REQUEST:
            return None
        try:
            self._get_handler(method)
        except JsonRpcMethodNotFound:
            # A notification that nobody handles, `$/` ones above all, is silently dropped by the caller.
            return METHOD_NOT_FOUND, f"no such method: {method[:80]}"
        return None

    def _receive_reply(self, message: dict[str, Any]) -> None:
        """The client's answer to a request of ours."""
        msg_id = _id(message)
        # pygls keeps the client's requests in the same table: a reply with the id of one of those is not for us.
        if msg_id is None or msg_id not in self._result_types:
            return
        future, result_type = self._request_futures.pop(msg_id, None), self._result_types.pop(msg_id)
        if future is None or future.done():
            return
        if message.get("error") is not None:
            future.set_exception(JsonRpcException("the client answered with an error"))
            return
        try:
            reply = self._converter.structure(message, result_type) if result_type else None
            future.set_result(reply.result if reply is not None else message.get("result"))
        except Exception:
            future.set_exception(JsonRpcException("the client's answer has the wrong shape"))

    def _execute_handler(self, msg_id: Any, *args: Any, **kwargs: Any) -> None:
        """pygls keeps what it ran for a notification for ever: one task a keystroke."""
        super()._execute_handler(msg_id, *args, **kwargs)
        future = self._request_futures.get(msg_id)

        def forget(done: Any) -> None:
            if self._request_futures.get(msg_id) is done:
                del self._request_futures[msg_id]

        if future is not None:
            future.add_done_callback(forget)

    def _send_handler_result(self, future: Future[Any] | asyncio.Future[Any], *, msg_id: int | str) -> None:
        self._request_futures.pop(msg_id, None)
        if future.cancelled():
            self.refuse(msg_id, CANCELLED, "cancelled")
            return
        error = future.exception()
        if error is None:
            self._send_response(msg_id, result=future.result())
        elif isinstance(error, PointsmanError):
            data = {"code": error.code, "remedy": error.remedy}
            if isinstance(error, PolicyRefusal):
                data["rule"] = error.rule
            self.refuse(msg_id, REQUEST_FAILED, error.told, data)
        elif isinstance(error, InvalidParams):
            self.refuse(msg_id, INVALID_PARAMS, str(error))
        else:
            log.error("internal error: %s", type(error).__name__, exc_info=error)
            self.refuse(msg_id, INTERNAL_ERROR, "internal error")

    def _check_handler_result(self, future: Future[Any] | asyncio.Future[Any]) -> None:
        if not future.cancelled() and (error := future.exception()) is not None:
            log.error("a notification failed: %s", type(error).__name__, exc_info=error)

    @lsp_method(types.SHUTDOWN)
    async def lsp_shutdown(self, *_: Any) -> None:  # type: ignore[override]
        """Cancel what is under way, then let the server's own handler close its services."""
        for msg_id, future in list(self._request_futures.items()):
            if msg_id != self.msg_id:
                future.cancel()
        if (handler := self.fm.features.get(types.SHUTDOWN)) is not None:
            await handler(None)

    @lsp_method(types.WORKSPACE_EXECUTE_COMMAND)
    async def lsp_workspace__execute_command(  # type: ignore[override]
        self, params: types.ExecuteCommandParams
    ) -> Any:
        """Run a command as part of this request, so that cancelling the request cancels the command."""
        handler = self.fm.commands.get(params.command)
        if handler is None:
            raise InvalidParams(f"no such command: {params.command[:80]}")
        return await handler(*(params.arguments or []))


class InvalidParams(Exception):
    """The params are not of the method's shape. The text is for the client and quotes no document."""


def _id(message: Any) -> int | str | None:
    found = message.get("id") if isinstance(message, dict) else None
    return found if isinstance(found, int | str) and not isinstance(found, bool) else None
