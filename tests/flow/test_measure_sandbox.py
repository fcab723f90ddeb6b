"""Programs of a model's in the real sandbox; where none is possible, the command must refuse."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pointsman.errors import PointsmanError
from pointsman.measure import sandbox as module
from pointsman.measure.sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Sandbox:
    try:
        return Sandbox.open()
    except PointsmanError as error:
        pytest.skip(f"no sandbox is possible on this machine: {error.message}")


def test_only_a_program_that_comes_to_its_end_passes(sandbox: Sandbox) -> None:
    assert sandbox.passes("assert 1 + 1 == 2")
    assert sandbox.passes("open('own', 'w').write('x'); print('x' * 1_000_000)")
    for program in ("assert False", "raise SystemExit(0)", "import os; os._exit(0)", "def", "x = bytearray(3 << 30)"):
        assert not sandbox.passes(program), program


def test_a_program_without_end_is_ended(sandbox: Sandbox) -> None:
    assert not sandbox.passes("import os\nos.fork()\nwhile True: pass", seconds=1.0)


@contextlib.contextmanager
def listening(folder: Path) -> Iterator[tuple[int, str]]:
    unix = str(folder / "s")
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(unix)
        local.listen()
        yield server.getsockname()[1], unix


def test_nothing_outside_is_reached(sandbox: Sandbox, tmp_path: Path) -> None:
    with listening(tmp_path) as (port, unix):
        assert not sandbox.passes(f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)")
        assert not sandbox.passes(f"import socket; socket.socket(socket.AF_UNIX).connect({unix!r})")
    mine = tmp_path / "mine"
    mine.write_text("kept")
    assert not sandbox.passes(f"open({str(mine)!r}, 'a')")
    assert not sandbox.passes(f"open({__file__!r}, 'a')")
    assert not sandbox.passes("import os; assert os.listdir('/dev')")
    assert sandbox.passes(
        "import os; assert not [n for n in os.environ if n not in ('PATH', 'LC_ALL', 'PWD', 'OLDPWD')]"
    )
    assert mine.read_text() == "kept"


def test_what_is_mounted_at_an_odd_path_cannot_be_written_either(sandbox: Sandbox, tmp_path: Path) -> None:
    point, own = tmp_path / "a 1\\ %d\n", tmp_path / "own"
    point.mkdir()
    own.mkdir()
    user = ("--user", "--map-root-user") if "--user" in sandbox._enter else ()
    mounted = ("unshare", *user, "--mount", "sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(point))
    beside = Sandbox((*mounted, *sandbox._enter), (str(own),))
    assert beside.passes(f"import os; assert os.path.ismount({str(point)!r})")
    assert not beside.passes(f"open({str(point / 'f')!r}, 'w')")


@pytest.mark.skipif(os.getuid() == 0, reason="the kernel does not count the processes of root")
def test_processes_are_few(sandbox: Sandbox) -> None:
    fork = "import os, time\nfor _ in range({}):\n    if not os.fork():\n        time.sleep(5)\n        os._exit(0)"
    assert not sandbox.passes(fork.format(20))


def test_without_the_tools_it_refuses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.shutil, "which", lambda tool: None)
    with pytest.raises(PointsmanError, match="no sandbox without network"):
        Sandbox.open()


def test_a_sandbox_that_does_not_hold_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SPACES", ("--mount",))
    with pytest.raises(PointsmanError):
        Sandbox.open()
