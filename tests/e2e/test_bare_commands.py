"""Promises of the command line that need no model: `serve --tcp`, what `doctor` advises, tracebacks only when asked
for. With one: what `complete --explain`, `uses` and `outline` show."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import Home, make_home

POINTSMAN = [sys.executable, "-m", "pointsman"]


@pytest.fixture
def bare(tmp_path: Path) -> Home:
    return make_home(tmp_path / "home", None)


def framed(**message: object) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", **message}).encode()
    return b"Content-Length: %d\r\n\r\n" % len(body) + body


def test_serve_listens_on_this_machine_when_told_to(bare: Home) -> None:
    command = [*POINTSMAN, "serve", "--tcp", "127.0.0.1:0"]
    with subprocess.Popen(command, env=bare.environment, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        port = int(server.stderr.readline().split()[-1])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(framed(id=1, method="initialize", params={"processId": None, "capabilities": {}}))
            client.sendall(framed(id=2, method="shutdown") + framed(method="exit"))
            with client.makefile("rb") as answers:
                assert b'"capabilities"' in answers.read()
        assert server.wait(60) == 0
    assert "loopback" in bare.run("serve", "--tcp", "0.0.0.0:0", code=2).err
    assert "HOST:PORT" in bare.run("serve", "--tcp", "here", code=2).err
    assert "exclude each other" in bare.run("serve", "--stdio", "--tcp", "127.0.0.1:0", code=2).err


def test_doctor_names_a_remedy_for_each_problem(bare: Home) -> None:
    (bare.path / "config").mkdir(mode=0o755)
    (bare.path / "config" / "policy.toml").write_text("version = 1\n[surprise]\n")
    findings = bare.run("doctor", "--json", code=1).json["findings"]
    problems = {finding["check"]: finding for finding in findings if finding["state"] == "problem"}
    assert {"model", "policy"} <= problems.keys()
    assert "models pull" in problems["model"]["remedy"] and "policy check" in problems["policy"]["remedy"]
    assert all(finding["remedy"] for finding in problems.values())


def test_a_traceback_is_shown_only_when_asked_for_twice(bare: Home, repository: Path) -> None:
    place = f"{repository / 'shop' / 'cart.py'}:42:48"
    try:
        for verbosity, shown in ((), False), (("-v",), False), (("-vv",), True):
            done = subprocess.run(
                [*POINTSMAN, *verbosity, "complete", place],
                env=bare.environment, capture_output=True, text=True, timeout=180, check=False,
            )  # fmt: skip
            assert done.returncode == 4 and "models pull" in done.stderr
            assert ("Traceback" in done.stderr) == shown, verbosity
    finally:
        bare.run("host", "stop", code=None)


def test_tests_are_written_for_one_place(bare: Home, repository: Path) -> None:
    cart, stock = (repository / "shop" / name for name in ("cart.py", "inventory.py"))
    assert "--tests takes one place" in bare.run("refactor", cart, stock, "cover it", "--tests", code=2).err


@pytest.mark.model
def test_alternatives_and_what_each_stage_did(home: Home, repository: Path) -> None:
    file = repository / "shop" / "cart.py"
    file.write_text(file.read_text() + "\n\ndef subtract(a, b):\n    return ")
    place = f"{file}:{len(file.read_text().splitlines())}:12"
    texts = [item["text"] for item in home.run("complete", place, "-n", "3", "--json").json["items"]]
    assert 1 < len(texts) <= 3 and len(set(texts)) == len(texts)
    shown = home.run("complete", place, "--explain")
    assert shown.out.strip() and "route: local, smollm2-135m" in shown.err
    assert all(stage in shown.err for stage in ("prefilter", "cache", "decode"))


@pytest.mark.model
def test_uses_and_the_outline(home: Home, repository: Path) -> None:
    found = home.run("uses", "reserve", "--path", repository, "--json").json
    assert [place["path"] for place in found["definitions"]] == ["shop/inventory.py"]
    assert "shop/cart.py" in {place["path"] for place in found["uses"]}
    assert "shop/cart.py:" in home.run("uses", "reserve", "--path", repository).out
    home.run("uses", "no_such_name", "--path", repository, code=4)
    outline = home.run("outline", repository, "--json").json["text"]
    assert "shop/inventory.py" in outline and "def reserve(" in outline, "what the others lean on"
    home.run("outline", repository, "--budget", "5", code=2)
