"""How a command ends that is stopped from outside, or that cannot write what it has."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SLOW = """
import asyncio, sys, tempfile, time, types
import click
from pointsman.cli import app

@click.command()
@click.argument("way")
def slow(way):
    with tempfile.TemporaryDirectory() as folder:
        click.echo(folder)
        if way == "loop":
            asyncio.run(asyncio.sleep(120))
        time.sleep(120)

app._COMMANDS["slow"] = ""
sys.modules["pointsman.cli.slow"] = types.SimpleNamespace(slow=slow)
app.main(["slow", sys.argv[1]])
"""


@pytest.mark.parametrize("way", ["loop", "plain"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_stopped_command_leaves_no_temporary_folder(way: str, number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", SLOW, way], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        assert folder.is_dir()
        process.send_signal(number)
        assert process.wait(60) == 128 + number
    assert not folder.exists()


@pytest.mark.parametrize("way", ["loop", "plain"])
def test_it_stops_also_where_ctrl_c_is_ignored(way: str) -> None:
    ignoring = ["sh", "-c", 'trap "" INT HUP; exec "$0" "$@"', sys.executable, "-c", SLOW, way]
    with subprocess.Popen(ignoring, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = Path(process.stdout.readline().strip())
        process.send_signal(signal.SIGHUP)  # as under nohup
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert not folder.exists()


def pointsman(tmp_path: Path, *arguments: str, **streams: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "pointsman", *arguments]
    environment = {"PATH": "/usr/bin:/bin", "POINTSMAN_HOME": str(tmp_path)}
    return subprocess.Popen(command, env=environment, **{"stderr": subprocess.PIPE, **streams})


LISTS = [("models", "licences"), ("models", "licences", "--json"), ("--help",)]
"""By rich, by click, and before any command runs."""


@pytest.mark.parametrize("arguments", LISTS)
def test_a_reader_that_went_away_is_no_error_in_words(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with pointsman(tmp_path, *arguments, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 128 + signal.SIGPIPE


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("arguments", LISTS)
def test_a_full_disk_behind_stdout_ends_in_words(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    with Path("/dev/full").open("wb") as full, pointsman(tmp_path, *arguments, stdout=full) as process:
        assert process.stderr is not None
        assert process.stderr.read() == b"pointsman: cannot write: No space left on device\n"
    assert process.returncode == 1


def test_without_any_stream_a_command_still_runs(tmp_path: Path) -> None:
    script = f'exec "{sys.executable}" -m pointsman models licences --json <&- >&- 2>&-'
    assert subprocess.run(["sh", "-c", script], env={"POINTSMAN_HOME": str(tmp_path)}, check=False).returncode == 0
    script = script.replace("licences", "info no-such-model")
    assert subprocess.run(["sh", "-c", script], env={"POINTSMAN_HOME": str(tmp_path)}, check=False).returncode == 4
