"""How an editor feels with Pointsman in it: `python -m bench.editors [start] [windows] [typing] [vscode] [--graphics]`.

A real Neovim on a terminal of its own, the plugin, and the default models, in a fresh home; the standard library of
Python is the repository. `start`: from starting Neovim to the server being attached, and to the first suggestion, the
host being warm. `windows`: memory of each window's `serve`, and how many hosts there are. `typing`: ten characters a
second at the end of a file of 5,000 lines, while the repository is indexed, a question is answered and suggestions are
made: from each key to the end of the redraw that shows it, and how much of that was Neovim's own; beside it, how late a
process wakes that only sleeps, for on a busy machine that is the scheduler's part. `vscode`, which is measured only
when it is asked for: in a workbench, from the extension's start to its server being ready, and the same typing, from a
key to the end of what it sets off: with suggestions, with suggestions paused, and without the extension. Chromium draws
by software; with `--graphics` by the machine's graphics card.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
from tests.e2e.conftest import Home, make_home
from tests.editors.neovim_editor import init_file, wait
from tests.editors.neovim_install import editors
from tests.editors.neovim_typist import RECORD, Typist, at_terminal, handled
from tests.editors.test_neovim_typing import long_file, type_text
from tests.editors.test_vscode_workbench import run_session, went_well
from tests.editors.vscode_build import built
from tests.editors.workbench_install import workbench

from pointsman.settings import Paths

SERVE = [sys.executable, "-m", "pointsman", "serve"]
ROUNDS = 9
SLEEPER = """
import time
late = []
try:
    while True:
        begun = time.monotonic()
        time.sleep(0.01)
        late.append((time.monotonic() - begun - 0.01) * 1000)
except KeyboardInterrupt:
    print(*late)
"""
TIMES = """
vim.g.loaded_python3_provider = 0 -- else Neovim's own file type plugin looks for a provider first, for seconds
_G.times = {}
vim.api.nvim_create_autocmd('LspAttach', {
  callback = function(event)
    _G.times.attached = vim.uv.hrtime()
    local client = vim.lsp.get_client_by_id(event.data.client_id)
    local params = {
      textDocument = vim.lsp.util.make_text_document_params(event.buf),
      position = { line = vim.api.nvim_buf_line_count(event.buf) - 1, character = 4 },
      context = { triggerKind = 2 },
    }
    client:request('textDocument/inlineCompletion', params, function()
      _G.times.answered = vim.uv.hrtime()
      local file = vim.env.XDG_STATE_HOME .. '/times'
      vim.fn.mkdir(vim.env.XDG_STATE_HOME, 'p')
      vim.fn.writefile({ vim.json.encode(_G.times) }, file .. '.part')
      vim.uv.fs_rename(file .. '.part', file)
    end, event.buf)
  end,
})
"""
TYPED = '''\
def collect(entries, *, limit=10):
    """The newest entries, one for each owner."""
    found = {}
    for entry in sorted(entries, key=lambda entry: entry.created, reverse=True):
        if entry.owner not in found:
            found[entry.owner] = entry
    return list(found.values())[:limit]
'''


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    known = {"start": start, "windows": windows, "typing": typing, "vscode": vscode}
    parser.add_argument("what", nargs="*", choices=[*known, []], help="which measurements; the first three by default")
    parser.add_argument("--graphics", action="store_true", help="let the workbench draw with the graphics card")
    given = parser.parse_args()
    chosen = given.what or ["start", "windows", "typing"]
    with tempfile.TemporaryDirectory(prefix="pb-") as folder:
        bench = Bench(Path(folder), given.graphics)
        try:
            for name in chosen:
                known[name](bench)
        finally:
            bench.home.run("host", "stop", code=None)


class Bench:
    """A home with the default models, and two repositories: a small one, and the standard library."""

    def __init__(self, folder: Path, graphics: bool) -> None:
        self.folder = folder
        self.graphics = graphics
        self.models = models = Path(os.environ.get("POINTSMAN_TEST_MODELS") or Paths.resolve().models)
        if not (models / "smollm2-135m").exists():
            raise SystemExit("the default models are not here: run `pointsman models pull`")
        self.home: Home = make_home(folder / "home", models)
        self.small = self._repository(
            "small", {"a.py": "def add(a, b):\n    return a + b\n\n\ndef subtract(a, b):\n    "}
        )

    def library(self) -> Path:
        copy_library(self.folder / "library" / "lib")
        return self._repository("library", {"long.py": long_file(5000)})

    def _repository(self, name: str, files: dict[str, str]) -> Path:
        root = self.folder / name
        root.mkdir(exist_ok=True)
        for path, text in files.items():
            (root / path).write_text(text)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)
        return root

    @contextlib.contextmanager
    def window(self, root: Path, file: str, extra: str = "") -> Iterator[tuple[Typist, Callable[[], dict[str, float]]]]:
        """Neovim on a file; and milliseconds since it was started, as TIMES keeps them."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        init = init_file(folder, SERVE, extra)
        begun = time.monotonic_ns()

        def times() -> dict[str, float]:
            kept = folder / "state" / "times"
            wait("the first answer", kept.exists)  # Neovim is not asked: that would take of its time
            return {what: (at - begun) / 1e6 for what, at in json.loads(kept.read_text()).items()}

        with at_terminal(editors().neovim, init, root / file, self.home.environment, root) as typist:
            yield typist, times

    def status(self) -> Any:
        return self.home.run("host", "status", "--json").json


def copy_library(to: Path) -> None:
    leave_out = shutil.ignore_patterns("site-packages", "test", "tests", "*.pyc", "*.so", "*.a")
    shutil.copytree(sysconfig.get_paths()["stdlib"], to, ignore=leave_out)


def start(bench: Bench) -> None:
    rounds = []
    for _ in range(ROUNDS + 1):
        with bench.window(bench.small, "a.py", TIMES) as (_, times):
            rounds.append(times())
    for what in ("attached", "answered"):
        taken = [each[what] for each in rounds[1:]]
        print(f"start to {what}: median {statistics.median(taken):.0f} ms, worst {max(taken):.0f} ms")
    print(f"  {ROUNDS} rounds after one that started the host; {_load()}")


def windows(bench: Bench) -> None:
    with contextlib.ExitStack() as open_ones:
        for _ in range(3):
            _, times = open_ones.enter_context(bench.window(bench.small, "a.py", TIMES))
            times()
        running = _processes(bench.home)
        sizes = ", ".join(f"{p.memory_info().rss / 2**20:.0f}" for p in running if "serve" in p.cmdline())
        hosts = sum("pointsman.host" in p.cmdline() for p in running)
        print(f"three windows: serve {sizes} MB resident; {hosts} host, with {bench.status()['clients']} clients")


def _processes(home: Home) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("POINTSMAN_HOME") == str(home.path) and process.name().startswith("python"):
                found.append(process)
    return found


def typing(bench: Bench) -> None:
    root = bench.library()
    extra = "vim.o.autoindent = false vim.cmd('filetype indent off')\n" + RECORD
    with bench.window(root, "long.py", extra) as (typist, _):
        typist.attached()
        typist.editor.lua("vim.cmd('Pointsman ask how are regular expressions compiled?') return true")
        for key in "Go":
            typist.key(key)
        typist.editor.wait("insert mode", "vim.api.nvim_get_mode().mode == 'i'")
        typist.frames()
        sleeper = subprocess.Popen([sys.executable, "-c", SLEEPER], stdout=subprocess.PIPE, text=True)
        keys = type_text(typist, 5000, TYPED)
        sleeper.send_signal(signal.SIGINT)
        frames = typist.frames()
        taken = handled(frames, keys)
        answers = len({frame.seen for frame in frames if frame.seen})
        (index,) = [each for each in bench.status()["indexes"] if each["root"] == str(root)]
        print(f"{len(taken)} keys, {answers} suggestions drawn, indexing: {index['busy']}; {_load()}")
        print(f"  key to screen:   {_quantiles([ms for ms, _ in taken])}")
        print(f"  of it Neovim's:  {_quantiles([ms for _, ms in taken])}")
        print(f"  a sleeper beside: {_quantiles([float(ms) for ms in sleeper.communicate()[0].split()])} too late")


def vscode(bench: Bench) -> None:
    def prepare(home: Home, root: Path) -> None:
        copy_library(root / "lib")
        (root / "long.py").write_text(long_file(5000))
        home.run("complete", f"{root / 'shop' / 'cart.py'}:1:1")  # the host is warm then

    for name in ("suggestions on", "suggestions paused", "without the extension"):
        folder = Path(tempfile.mkdtemp(dir=bench.folder))
        there = name != "without the extension"
        session = run_session(
            folder,
            bench.models,
            workbench(),
            built() if there else None,
            ["ready", "walkthrough", "typing"] if there else ["opened", "typing"],
            prepare=prepare,
            machine={"editor.autoIndent": "none", "pointsman.completion.enabled": name == "suggestions on"},
            typing={"file": "long.py", "text": TYPED.rstrip("\n"), "every": 100, "pause": 150},
            graphics=bench.graphics,
        )
        logs = "".join(log.read_text() for log in (folder / "profile").rglob("Pointsman.log"))
        ready = re.search(r"ready after \d+ ms", logs)
        taken = [key["handled"] for key in went_well(session)["typing"]["keys"]]
        print(f"VS Code, {name}: {f'server {ready[0]}' if ready else 'no server'}; {_load()}")
        print(f"  {len(taken)} keys: {_quantiles(taken)}", flush=True)


def _quantiles(taken: list[float]) -> str:
    cuts = statistics.quantiles(taken, n=100)
    late = sum(ms > 50 for ms in taken)
    return f"p50 {cuts[49]:.1f} ms, p99 {cuts[98]:.1f} ms, max {max(taken):.1f} ms, {late} over 50 ms"


def _load() -> str:
    return f"load average {psutil.getloadavg()[0]:.1f} on {psutil.cpu_count()} cores"


if __name__ == "__main__":
    main()
