"""The closed model through the real commands and host: a recording endpoint on loopback, and nothing past policy."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from .conftest import Home

pytestmark = pytest.mark.model

SECRET = "ghp_" + "Zx9Qw8Er7Ty6Ui5Op4As3Df2Gh1Jk0LzXcVb"  # no real token: the shape is what the rules look for
POLICY = """
version = 1
[closed]
enabled = true
tasks = ["refactor", "chat"]
[[closed.endpoints]]
name = "vendor"
base_url = "{url}"
region = "eu"
models = ["big-1"]
key = "env:VENDOR_KEY"
usd_per_mtok = {{ input = 1.0, output = 10.0 }}
[review]
outbound = "{outbound}"
"""

OWN = """
version = 1
[[own.endpoints]]
name = "box"
base_url = "{url}"
kind = "openai"
model = "m"
"""


class Endpoint:
    """Answers with the code that it was sent, `percent` renamed; keeps every body."""

    def __init__(self, server: HTTPServer) -> None:
        self.bodies: list[bytes] = []
        self.url = server.url_for("/v1")
        server.expect_request("/v1/chat/completions", method="POST").respond_with_handler(self.answer)

    def answer(self, request: Request) -> Response:
        self.bodies.append(request.get_data())
        if json.loads(self.bodies[-1]).get("stream"):
            return self.streamed()
        told, asked = (message["content"] for message in json.loads(self.bodies[-1])["messages"][:2])
        (marker,) = re.findall(r"between two lines of (\w+)", told)
        code = asked[asked.index("def apply_discount") :].split(f"{marker}\n")[0]
        message = {"role": "assistant", "content": f"```python\n{code.replace('percent', 'share')}```"}
        reply = {"choices": [{"message": message}], "usage": {"prompt_tokens": 90, "completion_tokens": 40}}
        return Response(json.dumps(reply), 200, mimetype="application/json")

    def streamed(self) -> Response:
        """An answer to a question, cut in the middle of a secret."""
        parts = (
            "apply_discount takes percent off ",
            "the total [1]. ",
            f"The token is {SECRET[:9]}",
            f"{SECRET[9:]}. ",
        )
        events = [{"choices": [{"delta": {"content": part}}]} for part in parts]
        events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        events.append({"choices": [], "usage": {"prompt_tokens": 80, "completion_tokens": 20}})
        lines = "".join(f"data: {json.dumps(event)}\n\n" for event in events)
        return Response(f"{lines}data: [DONE]\n\n", 200, mimetype="text/event-stream")


@pytest.fixture
def endpoint(httpserver: HTTPServer) -> Endpoint:
    return Endpoint(httpserver)


@pytest.fixture
def place(repository: Path) -> str:
    cart = repository / "shop" / "cart.py"
    cart.write_text(
        cart.read_text().replace('raise ValueError("percent', f'token = "{SECRET}"\n        raise ValueError("percent')
    )
    return f"{cart}:38-43"


@pytest.fixture
def home(fresh_home: Callable[..., Home], endpoint: Endpoint) -> Home:
    made = fresh_home(
        VENDOR_KEY="canary-key-not-real", http_proxy="http://127.0.0.1:9", OPENAI_BASE_URL="http://127.0.0.1:9"
    )
    write_policy(made, endpoint)
    return made


def write_policy(home: Home, endpoint: Endpoint, outbound: str = "never") -> None:
    (home.path / "config").mkdir(exist_ok=True)
    (home.path / "config" / "policy.toml").write_text(POLICY.format(url=endpoint.url, outbound=outbound))


def test_a_trusted_workspace_gets_the_closed_model_with_a_receipt(
    home: Home, endpoint: Endpoint, repository: Path, place: str
) -> None:
    home.run("policy", "trust", repository)
    result = home.run("refactor", place, "rename percent to share", "--target", "closed", "--json").json
    assert result["route"]["target"] == "closed" and result["route"]["endpoint"] == "vendor"
    assert result["receipt"]["spans"][0].startswith("shop/cart.py:")
    assert result["receipt"]["record_id"] and result["receipt"]["usd"] > 0
    assert result["receipt"]["template"].startswith("refactor:")
    assert result["redactions"] >= 1 and "+def apply_discount(total_cents, share):" in result["diff"]
    (body,) = endpoint.bodies
    assert SECRET.encode() not in body and SECRET in (repository / "shop" / "cart.py").read_text()
    records = home.run("audit", "list", "--json").json
    listed = json.dumps(records)
    assert hashlib.sha256(body).hexdigest() in listed and result["receipt"]["template"] in listed
    assert SECRET not in listed and "apply_discount" not in listed and "canary-key" not in listed
    assert home.run("audit", "verify", "--json").code == 0


def test_applying_keeps_the_secret_and_the_rest_of_the_file(home: Home, repository: Path, place: str) -> None:
    home.run("policy", "trust", repository)
    policy, before = home.path / "config" / "policy.toml", (repository / "shop" / "cart.py").read_text()
    allowed = policy.read_text()
    policy.write_text(f'{allowed}edits = "always"\n')
    refused = home.run("refactor", place, "rename percent to share", "--target", "closed", "--apply", code=1)
    assert "protected: shop/cart.py" in refused.err and (repository / "shop" / "cart.py").read_text() == before
    policy.write_text(allowed)
    home.run("refactor", place, "rename percent to share", "--target", "closed", "--apply")
    text = (repository / "shop" / "cart.py").read_text()
    assert SECRET in text and "POINTSMAN_" not in text
    assert "def apply_discount(total_cents, share):" in text and "class Cart:" in text
    compile(text, "cart.py", "exec")


def test_an_untrusted_workspace_is_refused_and_nothing_is_sent(home: Home, endpoint: Endpoint, place: str) -> None:
    refused = home.run("refactor", place, "rename percent to share", "--target", "closed", code=3)
    assert "trust" in refused.err
    assert endpoint.bodies == []


def test_a_dry_run_shows_exactly_what_would_be_sent(
    home: Home, endpoint: Endpoint, repository: Path, place: str
) -> None:
    home.run("policy", "trust", repository)
    write_policy(home, endpoint, outbound="always")
    shown = home.run("refactor", place, "rename percent to share", "--target", "closed", "--dry-run", "--json").json
    assert endpoint.bodies == [] and SECRET not in shown["preview"]
    refused = home.run("refactor", place, "rename percent to share", "--target", "closed", code=3)
    assert endpoint.bodies == [] and "approve" in refused.err
    home.run("refactor", place, "rename percent to share", "--target", "closed", "--approve", shown["preview_sha256"])
    assert [body.decode() for body in endpoint.bodies] == [shown["preview"]]


def test_a_question_goes_to_the_closed_model_with_a_receipt(
    home: Home, endpoint: Endpoint, repository: Path, place: str
) -> None:
    question = ("ask", "What does apply_discount do with the percent?", "--path", repository)
    assert home.run(*question, "--json").json["route"]["target"] == "local"  # not trusted yet
    home.run(*question, "--target", "closed", code=3)
    home.run("policy", "trust", repository)
    shown = home.run(*question, "--target", "closed", "--dry-run", "--json").json
    assert endpoint.bodies == [] and SECRET not in shown["preview"] and "apply_discount" in shown["preview"]
    answer = home.run(*question, "--target", "closed", "--json").json
    assert [body.decode() for body in endpoint.bodies] == [shown["preview"]]
    assert answer["route"]["target"] == "closed" and answer["route"]["endpoint"] == "vendor"
    assert answer["citations"][0]["path"] == "shop/cart.py" and "[1]" in answer["answer"]
    assert SECRET not in json.dumps(answer)  # the model made it up: it stands in no source, and is not shown
    assert answer["receipt"]["usd"] > 0 and any(s.startswith("shop/cart.py:") for s in answer["receipt"]["spans"])
    assert answer["receipt"]["record_id"] in json.dumps(home.run("audit", "list", "--json").json)
    write_policy(home, endpoint, outbound="always")
    refused = home.run(*question, "--target", "closed", code=3)
    assert "--approve" in refused.err and len(endpoint.bodies) == 1


def test_a_closed_model_answers_where_no_local_one_is_installed(
    home: Home, endpoint: Endpoint, repository: Path, place: str
) -> None:
    home.environment["POINTSMAN_CHAT_MODEL"] = "qwen2.5-coder-7b"
    question = ("ask", "What does apply_discount do with the percent?", "--path", repository)
    missing = home.run(*question, code=4)
    assert "qwen2.5-coder-7b" in missing.err and "pointsman models pull" in missing.err
    assert home.run("ask", "How is bread baked?", "--path", repository, "--json").json["abstained"]
    home.run("policy", "trust", repository)
    answer = home.run(*question, "--target", "closed", "--json").json
    assert answer["route"]["target"] == "closed" and answer["citations"] and len(endpoint.bodies) == 1


def test_an_endpoint_that_failed_and_rests_is_a_failure_and_no_refusal(
    home: Home, endpoint: Endpoint, repository: Path, place: str, httpserver: HTTPServer
) -> None:
    httpserver.clear()
    httpserver.expect_request("/v1/chat/completions").respond_with_data("busy", status=503)
    home.run("policy", "trust", repository)
    change = ("refactor", place, "rename percent to share", "--target", "closed")
    home.run(*change, code=1)  # three tries, after which it rests
    resting = home.run(*change, code=1)
    assert resting.out == "" and "policy explain" not in resting.err
    home.run("ask", "What is a discount?", "--path", repository, "--target", "closed", code=1)
    assert home.run(*change[:3], "--json", code=None).json["route"]["target"] == "local"


def test_a_broken_policy_switches_the_closed_model_off_and_local_work_goes_on(
    home: Home, endpoint: Endpoint, repository: Path, place: str
) -> None:
    home.run("policy", "trust", repository)
    policy = home.path / "config" / "policy.toml"
    policy.write_text(policy.read_text() + "\n[surprise]\n")
    assert "policy.toml:16" in home.run("policy", "check", code=1).err.replace(str(policy), "policy.toml")
    home.run("refactor", place, "rename percent to share", "--target", "closed", code=3)
    assert home.run("refactor", place, "make it clear", "--json", code=None).json["route"]["target"] == "local"
    assert endpoint.bodies == []


def test_a_tampered_record_is_named(home: Home, repository: Path, place: str) -> None:
    home.run("policy", "trust", repository)
    home.run("refactor", place, "rename percent to share", "--target", "closed", "--json")
    segment = next((home.path / "data" / "audit").glob("*.jsonl"))
    data = bytearray(segment.read_bytes())
    data[data.index(b"vendor")] ^= 1
    segment.write_bytes(bytes(data))
    assert "record 1 " in home.run("audit", "verify", code=1).err


def test_completion_on_an_own_endpoint_that_policy_lists(
    fresh_home: Callable[..., Home], repository: Path, httpserver: HTTPServer
) -> None:
    home = fresh_home(POINTSMAN_ENGINE="own")
    cart = repository / "shop" / "cart.py"
    refused = home.run("complete", f"{cart}:42:48", code=None)
    assert refused.code != 0 and "own endpoint" in refused.err
    events = [{"choices": [{"text": " stock", "index": 0}]}, {"choices": [{"text": "", "finish_reason": "stop"}]}]
    stream = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    httpserver.expect_request("/v1/completions").respond_with_data(stream, content_type="text/event-stream")
    (home.path / "config" / "policy.toml").write_text(OWN.format(url=httpserver.url_for("/v1")))
    cart.write_text(cart.read_text() + "\n\nleft =")
    line = len(cart.read_text().splitlines())
    answer = home.run("complete", f"{cart}:{line}:7", "--json").json
    assert answer["items"][0]["text"] == " stock"
    engines = home.run("host", "status", "--json").json["engines"]
    writers = [engine["name"] for engine in engines if engine["model"] != "code-minilm"]
    assert writers == ["box"]  # what embeds the search for code like it is no writer
