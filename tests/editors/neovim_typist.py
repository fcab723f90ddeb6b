"""Neovim on a terminal of its own, typed into key by key, with a record of every frame that it drew.

Times are of the monotonic clock in nanoseconds, which Neovim's `vim.uv.hrtime` counts too.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from .neovim_editor import Neovim, end, terminal_environment, wait
from .neovim_install import Program

_ROWS, _COLUMNS = 40, 140
_KEYS = {"\n": "\r", "<Esc>": "\x1b", "<Tab>": "\t", "<BS>": "\x7f", "<CR>": "\r"}

RECORD = """
_G.frames, _G.offered, _G.unanswered = {}, {}, 0
local spaces, drawn, pressed = {}, nil, nil

-- The line with its ghost text, as the user reads it; nil without.
local function with_ghost(row, line)
  local seen
  for _, name in ipairs({ 'nvim.lsp.inline_completion', 'pointsman.held' }) do
    spaces[name] = spaces[name] or vim.api.nvim_create_namespace(name)
    for _, mark in ipairs(vim.api.nvim_buf_get_extmarks(0, spaces[name], -1, 0, { details = true })) do
      local col, text = mark[3], mark[4].virt_text[1][1]
      if text ~= '' then
        seen = mark[2] == row and (seen or line) or 'on another line: '
        local after = mark[4].virt_text_pos == 'overlay' and #text or 0
        seen = seen:sub(1, col) .. text .. seen:sub(col + 1 + after)
      end
    end
  end
  return seen
end

-- A key is drawn in several steps before the screen is told: what counts is the last one before anything else happens.
function _G.looked()
  if drawn then
    _G.frames[#_G.frames + 1], drawn = drawn, nil
  end
end
vim.on_key(function(_, typed)
  pressed = typed ~= '' and vim.uv.hrtime() or pressed
  _G.looked()
end)
vim.api.nvim_set_decoration_provider(vim.api.nvim_create_namespace('test.frames'), {
  on_end = function()
    local row, col = unpack(vim.api.nvim_win_get_cursor(0))
    local line, now = vim.api.nvim_get_current_line(), vim.uv.hrtime()
    local at = drawn and drawn.row == row - 1 and drawn.col == col and drawn.at or now
    local own = math.max(at - (pressed or at), 0)
    drawn = { at = at, own = own, row = row - 1, col = col, line = line, seen = with_ghost(row - 1, line) }
  end,
})

local Client = require('vim.lsp.client')
local name = Client.request and 'request' or '_request' -- so in Neovim 0.10
local request = Client[name]
Client[name] = function(self, method, params, handler, bufnr)
  if method ~= 'textDocument/inlineCompletion' then
    return request(self, method, params, handler, bufnr)
  end
  local line = vim.api.nvim_get_current_line()
  _G.unanswered = _G.unanswered + 1
  return request(self, method, params, function(err, result, ...)
    _G.unanswered = _G.unanswered - 1
    _G.looked()
    for _, item in ipairs(result and result.items or {}) do
      local first = vim.split(item.insertText, '\\n')[1]
      local before, after = line:sub(1, item.range.start.character), line:sub(item.range['end'].character + 1)
      -- More of it is on the next lines: then nothing is left of this one.
      _G.offered[#_G.offered + 1] = before .. first .. (first == item.insertText and after or '')
    end
    return handler(err, result, ...)
  end, bufnr)
end
"""
"""Lua for `init.lua`, before the plugin: `frames` has what was on the screen after each redraw, `offered` the cursor's
line as each item of the server would make it. ASCII alone."""


@dataclass(frozen=True)
class Frame:
    """What was on the screen of the cursor's line."""

    at: int
    own: int
    """Nanoseconds since Neovim took the last key."""
    row: int
    col: int
    line: str
    seen: str = ""
    """The line with its ghost text, as the user reads it; "" without ghost text."""


@dataclass(frozen=True)
class Typist:
    """`editor` answers for what is in the buffers."""

    editor: Neovim
    keyboard: int

    def key(self, key: str) -> int:
        """Press one key, a character or one of the named ones. When that was."""
        now = time.monotonic_ns()
        os.write(self.keyboard, _KEYS.get(key, key).encode())
        return now

    def attached(self) -> None:
        """Wait for Pointsman's server."""
        wait("Neovim's socket", self.editor.socket.exists)
        self.editor.wait("Neovim", "vim.v.vim_did_enter == 1")  # it listens before it has read init.lua
        self.editor.wait("the server", "(require('pointsman.client').all()[1] or {}).initialized == true")

    def answered(self) -> None:
        """Wait for all suggestions that Neovim has asked for."""
        self.editor.wait("the suggestions", "_G.unanswered == 0")

    def frames(self) -> list[Frame]:
        """All that were drawn since the last call."""
        found = self.editor.lua("_G.looked() local all = _G.frames _G.frames = {} return all")
        return [Frame(**one) for one in found]

    def offered(self) -> list[str]:
        found: list[str] = self.editor.lua("return _G.offered")
        return found


@contextlib.contextmanager
def at_terminal(program: Program, init: Path, file: Path, environment: dict[str, str], cwd: Path) -> Iterator[Typist]:
    """Neovim with a pseudo-terminal as its screen and keyboard. It has not read `init` yet."""
    folder = init.parent
    socket = folder / "nvim.sock"
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
    process = subprocess.Popen(
        [*program.command, "--listen", str(socket), "--clean", "-u", str(init), str(file)],
        cwd=cwd,
        env=terminal_environment(program, environment, folder),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    os.close(theirs)
    threading.Thread(target=_drain, args=(ours,), daemon=True).start()
    try:
        yield Typist(Neovim(program, socket, lambda: "", lambda keys: None), ours)
    finally:
        end(process)
        os.close(ours)


def _drain(terminal: int) -> None:
    """A screen that nobody reads would stop the editor."""
    with contextlib.suppress(OSError):
        while os.read(terminal, 1 << 16):
            pass


def handled(frames: list[Frame], keys: list[tuple[int, int, int]]) -> list[tuple[float, float]]:
    """For each key, as (when, row, column that its cursor reached), milliseconds until the end of the redraw that shows
    it: from the key, and of these, since Neovim took it up."""
    taken, frame = [], 0
    for at, row, col in keys:
        while frame < len(frames) and not (
            frames[frame].at >= at and (frames[frame].row, frames[frame].col) >= (row, col)
        ):
            frame += 1
        assert frame < len(frames), f"the key that leads to row {row}, column {col} was never drawn"
        taken.append(((frames[frame].at - at) / 1e6, frames[frame].own / 1e6))
    return taken
