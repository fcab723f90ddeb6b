"""Runs programs that a model wrote: no network, nothing of the file system can be written, little time and memory.

By Linux namespaces and limits, through `unshare`, `mount` and `prlimit` of util-linux. What it promises is tried out
before anything is run, on a listening socket and a file of this process's own.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

from pointsman.errors import PointsmanError

_PASSED = 77
"""Exit status of a program that came to its end: one that leaves early has not been tested."""
_PROCESSES = 16
"""At most, threads included; the other limits are each process's own. The kernel counts those of root nowhere."""
_LIMITS = ("--cpu=10", f"--as={2 << 30}", f"--fsize={1 << 20}", "--nofile=64", "--core=0")
_SPACES = ("--net", "--mount", "--ipc", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
# The kernel writes white space in a path as \040 and the like, which are printf's own escapes. What cannot be made
# read-only must be hidden by another mount or closed to this user, and so no mount point; autofs holds no files.
_ENTER = rf"""
mounts=$(sed 's/%/%%/g' /proc/self/mountinfo) || exit 1
printf '%s\n' "$mounts" | while read -r _ _ _ _ point rest; do
    case $rest in *" - autofs "*) continue ;; esac
    point=$(printf "$point.")
    mount -o remount,bind,ro "${{point%.}}" || ! mountpoint -q "${{point%.}}" || exit 1
done || exit 1
while [ "$1" != -- ]; do
    if [ -d "$1" ]; then mount -t tmpfs -o size=16m,mode=700 none "$1" && cd "$1" || exit 1; fi
    shift
done
shift
exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs prlimit --nproc={_PROCESSES} "$@"
"""
_TRIAL = """
import pathlib, socket
for attempt in (
    lambda: socket.create_connection(("127.0.0.1", {port}), 2),
    lambda: socket.socket(socket.AF_UNIX).connect({unix!r}),
    lambda: pathlib.Path({file!r}).open("r+b"),
    lambda: pathlib.Path("/proc/sys/kernel/core_pattern").write_text("core"),
):
    try:
        attempt()
    except OSError:
        continue
    raise SystemExit(1)
pathlib.Path("here").write_text("written")
"""


class Sandbox:
    """Made by `open`. Every program gets namespaces of its own and starts in an empty folder of 16 MB.

    Sockets of other processes have names in the file system, which a network namespace does not close: `hidden` are
    the folders where such sockets live, and devices.
    """

    def __init__(self, enter: tuple[str, ...], hidden: tuple[str, ...]) -> None:
        self._enter = enter
        self._hidden = hidden

    @classmethod
    def open(cls, *hide: Path) -> Sandbox:
        """`hide` goes with the system's folders for sockets. Raises `PointsmanError` where no sandbox is possible."""
        hidden = ("/run", "/var/run", "/var/tmp", "/dev", *map(str, hide), "/tmp", tempfile.gettempdir())
        if all(shutil.which(tool) for tool in ("unshare", "mount", "mountpoint", "prlimit", "setpriv")):
            # Root may make namespaces even where users may not; users need one of their own first.
            for own in ((), ("--user", "--map-root-user")):
                sandbox = cls(("prlimit", *_LIMITS, "unshare", *own, *_SPACES), hidden)
                if sandbox._holds():
                    return sandbox
        raise PointsmanError(
            "programs written by a model cannot be run here: no sandbox without network is possible",
            remedy="run this on Linux with util-linux where unprivileged user namespaces are allowed",
        )

    def passes(self, program: str, seconds: float = 15.0) -> bool:
        """Whether the Python program comes to its end without an error. What it prints is dropped."""
        python = getattr(sys, "_base_executable", None) or sys.executable
        shell = ("sh", "-c", _ENTER, "sh", *self._hidden, "--")
        end = f"\nimport os as _os\n_os._exit({_PASSED})\n"
        try:
            done = subprocess.run(
                [*self._enter, *shell, python, "-I", "-S", "-B", "-"],
                input=(program + end).encode("utf-8", "replace"),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
                timeout=seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return False
        return done.returncode == _PASSED

    def _holds(self) -> bool:
        with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as server:
            unix = str(Path(folder) / "unix")
            with socket.socket(socket.AF_UNIX) as local:
                local.bind(unix)
                local.listen()
                return self.passes(_TRIAL.format(port=server.getsockname()[1], unix=unix, file=__file__))
