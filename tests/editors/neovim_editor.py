"""A real Neovim, headless or on a tmux screen, driven by keys and asked by expressions."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .neovim_install import Program

PLUGIN = Path(__file__).parents[2] / "clients" / "nvim"
SECONDS = 60.0
"""How long anything may take before a test gives up. Nothing is timed by it."""


def end(process: subprocess.Popen[Any]) -> None:
    """End an editor that a test has done with, by force if it does not go."""
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait(what: str, look: Callable[[], Any], seconds: float = SECONDS, told: Callable[[], str] = lambda: "") -> Any:
    """What `look` returns, once that is true."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not come in {seconds:.0f} s\n{told()}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Neovim:
    """A running one. `socket` is where it listens; `screen` is what a user would see, "" for one without a terminal."""

    program: Program
    socket: Path
    screen: Callable[[], str]
    press: Callable[[str], None]
    """Type keys as `:help keycodes` names them."""

    def lua(self, code: str, **values: Any) -> Any:
        """Run Lua that returns a value; `values` are its locals."""
        given = "".join(f"local {k} = vim.json.decode({_quoted(json.dumps(v))}) " for k, v in values.items())
        wrapped = f"(function() {given} {code} end)()"
        expression = f"luaeval({_vim(f'vim.json.encode({{ v = {wrapped} }})')})"
        done = subprocess.run(
            [*self.program.command, "--server", str(self.socket), "--remote-expr", expression],
            env=os.environ | self.program.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        out = (done.stdout or done.stderr).strip()
        try:
            found = json.loads(out)
            return found["v"] if found else None  # Lua writes a table that holds nil as []
        except ValueError:
            raise AssertionError(f"{code}: {out}") from None

    def wait(self, what: str, code: str, **values: Any) -> Any:
        """Wait until the Lua expression `code` is true."""
        return wait(what, lambda: self.lua(f"return {code}", **values), told=self.state)

    def state(self) -> str:
        with contextlib.suppress(Exception):
            return f"{self.screen()}\n{self.lua(_STATE)}"
        return "Neovim does not answer"

    def lines(self) -> list[str]:
        found: list[str] = self.lua("return vim.api.nvim_buf_get_lines(0, 0, -1, false)")
        return found

    def ghost(self) -> str:
        """The ghost text on the screen, Neovim's own or ours, its lines joined by line ends; "" for none."""
        return str(self.lua(_GHOST))


_GHOST = """
local shown = {}
for name, id in pairs(vim.api.nvim_get_namespaces()) do
  if name == 'nvim.lsp.inline_completion' or name == 'pointsman.held' then
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, id, 0, -1, { details = true })) do
      local lines = { mark[4].virt_text }
      vim.list_extend(lines, mark[4].virt_lines or {})
      for _, line in ipairs(lines) do
        shown[#shown + 1] = line[1][1]
      end
    end
  end
end
return table.concat(shown, '\\n')
"""
_STATE = """
return table.concat(vim.api.nvim_buf_get_lines(0, 0, -1, false), '\\n') .. '\\n--- messages\\n'
  .. vim.api.nvim_exec2('messages', { output = true }).output .. '\\n--- mode ' .. vim.fn.mode()
"""


def _quoted(text: str) -> str:
    """A long Lua string."""
    return f"[=[{text}]=]"


def _vim(text: str) -> str:
    return "'" + text.replace("'", "''").replace("\n", " ") + "'"


def init_file(folder: Path, command: list[str], extra: str = "") -> Path:
    """An init.lua that loads the plugin with `command` as the server."""
    path = folder / "init.lua"
    cmd = ", ".join(f"[=[{word}]=]" for word in command)
    path.write_text(
        f"vim.opt.runtimepath:prepend([=[{PLUGIN}]=])\nvim.opt.swapfile = false\nvim.opt.shortmess:append('I')\n"
        f"vim.opt.more = false\nvim.cmd('filetype on')\n{extra}\n"
        f"require('pointsman').setup {{ cmd = {{ {cmd} }} }}\n"
    )
    return path


def terminal_environment(program: Program, environment: dict[str, str], folder: Path) -> dict[str, str]:
    own = {f"XDG_{name}_HOME": str(folder / name.lower()) for name in ("CONFIG", "DATA", "STATE", "CACHE")}
    return (
        environment | program.environment | own | {"NVIM_LOG_FILE": str(folder / "nvim.log"), "TERM": "xterm-256color"}
    )


@contextlib.contextmanager
def headless(program: Program, init: Path, file: Path, environment: dict[str, str], cwd: Path) -> Iterator[Neovim]:
    """Neovim without a screen."""
    folder = init.parent
    socket = folder / "nvim.sock"
    process = subprocess.Popen(
        [*program.command, "--headless", "--listen", str(socket), "--clean", "-u", str(init), str(file)],
        cwd=cwd,
        env=terminal_environment(program, environment, folder),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def press(keys: str) -> None:
        subprocess.run(
            [*program.command, "--server", str(socket), "--remote-send", keys],
            env=os.environ | program.environment,
            check=True,
            timeout=SECONDS,
            stdout=subprocess.DEVNULL,
        )

    try:
        wait("Neovim's socket", socket.exists)
        yield Neovim(program, socket, lambda: "", press)
    finally:
        end(process)


@dataclass(frozen=True)
class Screen:
    """A terminal of 110 by 32 in which a program runs."""

    tmux: Program
    name: str

    def run(self, *arguments: str) -> str:
        done = subprocess.run(
            [*self.tmux.command, "-L", self.name, "-f", "/dev/null", *arguments],
            env=os.environ | self.tmux.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return done.stdout

    def text(self) -> str:
        return self.run("capture-pane", "-p")

    def press(self, keys: str) -> None:
        """Type tmux's names of keys, or text, each word apart; `Space` is a blank."""
        self.run("send-keys", *keys.split(" "))

    def type(self, text: str) -> None:
        self.run("send-keys", "-l", text)


@contextlib.contextmanager
def screen(tmux: Program, command: list[str], environment: dict[str, str], cwd: Path) -> Iterator[Screen]:
    """`command` in a terminal of its own."""
    made = Screen(tmux, f"pointsman-test-{os.getpid()}-{time.monotonic_ns()}")
    subprocess.run(
        [*tmux.command, "-L", made.name, "-f", "/dev/null", "new-session", "-d", "-x", "110", "-y", "32", *command],
        cwd=cwd,
        env=environment | tmux.environment | {"TERM": "xterm-256color", "LC_ALL": "C.UTF-8"},
        check=True,
        timeout=SECONDS,
    )
    try:
        yield made
    finally:
        made.run("kill-server")


@contextlib.contextmanager
def on_screen(
    program: Program, tmux: Program, init: Path, file: Path, environment: dict[str, str], cwd: Path
) -> Iterator[Neovim]:
    """Neovim in a terminal; `press` types as a user does."""
    folder = init.parent
    socket = folder / "nvim.sock"
    command = [*program.command, "--listen", str(socket), "--clean", "-u", str(init), str(file)]
    with screen(tmux, command, terminal_environment(program, environment, folder), cwd) as terminal:
        wait("Neovim's socket", socket.exists, told=terminal.text)
        yield Neovim(program, socket, terminal.text, terminal.press)
