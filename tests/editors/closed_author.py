"""A closed model on loopback for changes and questions in editors: it rewrites what a request lets it, by a function of
the test, and says one thing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from tests.e2e.conftest import Home
from tests.e2e.test_closed import POLICY

_UNASKED = "[route]\nclosed_when = { min_lines = 1 }\n"
"""Everything is for the closed model, without being asked for."""


class Author:
    """`change` is given the lines of each part that may change, the text of each new file is `made`, and a question is
    answered by `said`. Keeps every body."""

    said = "Take percent off a total, rounding half a cent in the customer's favour [1]."

    def __init__(self, server: HTTPServer, change: Callable[[str], str], made: str = "") -> None:
        self.bodies: list[str] = []
        self._change, self._made = change, made
        self._url = server.url_for("/v1")
        server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self._answer)

    def grant(self, home: Home, *, outbound: str = "never") -> None:
        """A policy that sends every refactor of a trusted workspace here."""
        home.environment["VENDOR_KEY"] = "canary-key-not-real"
        (home.path / "config").mkdir(exist_ok=True)
        policy = POLICY.format(url=self._url, outbound=outbound) + _UNASKED
        (home.path / "config" / "policy.toml").write_text(policy)

    def _answer(self, request: Request) -> Response:
        self.bodies.append(request.get_data(as_text=True))
        if json.loads(self.bodies[-1]).get("stream"):
            events = [{"choices": [{"delta": {"content": part}}]} for part in self.said.partition(",")]
            events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
            lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
            return Response(f"{lines}data: [DONE]\n\n", 200, mimetype="text/event-stream")
        told, asked = (message["content"] for message in json.loads(self.bodies[-1])["messages"][:2])
        (marker,) = re.findall(r"between two lines of (\w+)", told)
        answer = ""
        for part in re.split(r"(?m)^(?=PART \d+: )", asked)[1:]:
            code = re.search(rf"SELECTION\n{marker}\n(.*?){marker}\n", part, re.DOTALL)
            if code and self._change(code[1]) != code[1]:
                number = part.split(":")[0].removeprefix("PART ")
                answer += f"PART {number}\n```python\n{self._change(code[1])}```\n"
        for number in re.findall(r"(?m)^NEW FILE (\d+): ", asked):
            answer += f"NEW FILE {number}\n```python\n{self._made}```\n"
        message = {"role": "assistant", "content": answer or "NO CHANGE."}
        reply = {"choices": [{"message": message}], "usage": {"prompt_tokens": 90, "completion_tokens": 40}}
        return Response(json.dumps(reply), 200, mimetype="application/json")
