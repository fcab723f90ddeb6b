"""Parsing in child processes: files that end their child cost themselves and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman_indexer import pool
from pointsman_indexer.errors import IndexerError
from pointsman_indexer.parse_worker import Source
from pointsman_indexer.parsing import chunk_of, parse_file, values_of
from pointsman_indexer.pool import Parsers
from tests.unit.indexer_repo import function

FAULTY = """
import ctypes, os, signal, sys
from pointsman_indexer import parse_worker

real = parse_worker.parse_file

def parse_file(path, data, plain):
    if plain and path.startswith("only_"):
        return real(path, data, plain)
    path = path.removeprefix("only_")
    if path == "crash.py":
        ctypes.string_at(0)
    if path == "slow.py":
        while True:
            pass
    if path == "bug.py":
        raise ValueError("a bug")
    if path == "hungry.py":
        return bytearray(8 << 30)
    if path == "leave.py":
        os._exit(0)
    return real(path, data, plain)

parse_worker.parse_file = parse_file
parse_worker._SECONDS = parse_worker._PLAIN_SECONDS = 0.3
parse_worker.main()
"""
LEAVING = """
from pointsman_indexer import parse_worker

real, calls = parse_worker.receive, 0

def receive(descriptor):
    global calls
    calls += 1
    return real(descriptor) if calls == 1 else None

parse_worker.receive = receive
parse_worker.main()
"""


@pytest.fixture
def parsers() -> Iterator[Parsers]:
    made = Parsers(2)
    yield made
    made.close()


def sources(*names: str) -> list[Source]:
    return [Source(name, function(name.partition(".")[0]).encode()) for name in names]


def test_answers_come_in_order_and_are_what_parsing_here_gives(parsers: Parsers) -> None:
    given = sources(*(f"f{number}.py" for number in range(100)))
    answers = list(parsers.parse(iter(given)))
    assert [source for source, _ in answers] == given
    assert all(parsed == parse_file(*source) for source, parsed in answers)
    chunk = chunk_of("f7.py", answers[7][1].chunks[0].values)
    assert chunk.symbol == "f7" and values_of(chunk) == answers[7][1].chunks[0].values


def test_no_more_is_read_than_is_under_way(parsers: Parsers) -> None:
    taken = 0

    def endless() -> Iterator[Source]:
        nonlocal taken
        while True:
            taken += 1
            yield from sources("same.py")

    stream = parsers.parse(endless())
    next(stream)
    assert taken <= 6 * 16
    stream.close()


def test_a_faulty_file_costs_itself_alone(parsers: Parsers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY)
    monkeypatch.setattr(pool, "COMMAND", ("-P", str(script)))
    names = ("a.py", "crash.py", "b.py", "slow.py", "bug.py", "hungry.py", "leave.py", "c.py")
    answers = list(parsers.parse(sources(*names)))
    assert [source for source, _ in answers] == sources(*names)
    outcome = {(source.path, parsed.skipped) for source, parsed in answers}
    assert outcome == {
        *(("a.py", ""), ("b.py", ""), ("c.py", "")),
        *(("crash.py", "crashed"), ("slow.py", "too_slow"), ("bug.py", "crashed"), ("hungry.py", "crashed")),
        ("leave.py", "crashed"),
    }


def test_what_is_too_much_for_its_grammar_is_taken_as_text(
    parsers: Parsers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "faulty.py"
    script.write_text(FAULTY)
    monkeypatch.setattr(pool, "COMMAND", ("-P", str(script)))
    outcome = {}
    for source, parsed in parsers.parse(sources("a.py", "only_crash.py", "only_slow.py", "b.py")):
        kinds = {chunk_of(source.path, row.values).kind for row in parsed.chunks}
        outcome[source.path] = (parsed.skipped, parsed.notes, kinds)
    as_text, as_code = ("", "as_text", {"text"}), ("", "", {"function"})
    assert outcome == {"a.py": as_code, "only_crash.py": as_text, "only_slow.py": as_text, "b.py": as_code}


def test_a_child_that_left_after_a_while_is_started_again(
    parsers: Parsers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = tmp_path / "impatient.py"
    script.write_text(LEAVING)
    monkeypatch.setattr(pool, "COMMAND", ("-P", str(script)))
    for name in ("a.py", "b.py", "c.py"):
        assert [parsed.skipped for _, parsed in parsers.parse(sources(name))] == [""]


def test_children_that_do_not_start_are_an_error(parsers: Parsers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "COMMAND", ("-c", "raise SystemExit(3)"))
    with pytest.raises(IndexerError, match="does not start"):
        list(parsers.parse(sources("a.py")))


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="reads what a process was started with from /proc")
def test_a_child_sees_no_key_of_the_shell(parsers: Parsers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VENDOR_KEY", "canary")
    list(parsers.parse(sources("a.py")))
    (process,) = (child._process for child in parsers._idle)
    assert process is not None
    started_with = Path(f"/proc/{process.pid}/environ").read_bytes()
    assert b"PATH=" in started_with and b"VENDOR_KEY" not in started_with
