"""What every model child does first, seen from outside: a clean pipe, no network, gone with its parent."""

from __future__ import annotations

import subprocess
import sys
import time

import psutil
import pytest


def child(body: str) -> str:
    return "import os, sys\nfrom pointsman.worker import lifeline\n" + body


def run(body: str, sent: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", child(body)], input=sent, capture_output=True, timeout=30, check=False)


def test_nothing_printed_reaches_the_protocol_or_a_log() -> None:
    done = run(
        "source, sink = lifeline.take_pipes()\n"
        "print('CANARY'); sys.stderr.write('CANARY'); os.system('echo CANARY; echo CANARY >&2')\n"
        "sink.write(source.read().upper()); sink.flush()",
        b"abc",
    )
    assert (done.stdout, done.stderr) == (b"ABC", b"")


@pytest.mark.parametrize(
    "attempt",
    [
        "socket.create_connection(('127.0.0.1', 9))",
        "socket.getaddrinfo('example.org', 80)",
        "socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 9))",
    ],
)
def test_no_library_can_open_a_connection(attempt: str) -> None:
    done = run(
        f"import socket\nlifeline.refuse_network()\ntry:\n    {attempt}\nexcept OSError as e:\n    print(e, end='')"
    )
    assert done.stdout == b"the model engine has no network"


def test_end_of_file_ends_it_even_in_the_middle_of_work() -> None:
    done = run(
        "source, sink = lifeline.take_pipes()\n"
        "lifeline.read_lines(source, lambda line: (sink.write(line), sink.flush()))\n"
        "while True: pass",
        b"one\ntwo\n",
    )
    assert (done.returncode, done.stdout) == (0, b"one\ntwo\n")


def test_an_endless_line_ends_it() -> None:
    body = (
        "lifeline.MAX_LINE = 1000\nsource, sink = lifeline.take_pipes()\n"
        "lifeline.read_lines(source, lambda line: None)\nwhile True: pass"
    )
    process = subprocess.Popen([sys.executable, "-c", child(body)], stdin=subprocess.PIPE)
    assert process.stdin is not None
    with process.stdin as stdin:
        stdin.write(b"x" * 5000)
        stdin.flush()
        assert process.wait(20) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's own signal for a dead parent is Linux's")
def test_a_killed_parent_takes_it_along_though_its_stdin_stays_open() -> None:
    body = child("import time\nlifeline.die_with_parent(os.getppid())\nprint('up', flush=True)\ntime.sleep(600)")
    parent = (
        "import os, subprocess, sys, time\n"
        f"p = subprocess.Popen([sys.executable, '-c', {body!r}], stdout=subprocess.PIPE)\n"
        "p.stdout.readline(); print(p.pid, flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as stdout:
        pid = int(stdout.readline())
    process.kill()
    process.wait()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, "an orphan was left"
        time.sleep(0.02)
