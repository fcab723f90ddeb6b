"""The chat in real Neovim where things go wrong: a dead server, a deleted buffer, a repository within another."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import psutil
import pytest

from .neovim_editor import Neovim
from .neovim_fixtures import Fixed, Open, fixed, fixed_home, home, installed, nvim, repository

pytestmark = pytest.mark.model

_CHAT = "vim.fn.bufnr('pointsman://chat')"
_TEXT = f"({_CHAT} ~= -1 and table.concat(vim.api.nvim_buf_get_lines({_CHAT}, 0, -1, false), '\\n') or '')"
_RECORD_SENT = """
local client = require('pointsman.client')
local send = client.send
_G.sent = {}
function client.send(to, method, params, ...)
  _G.sent[#_G.sent + 1] = method == 'pointsman/ask' and params or nil
  return send(to, method, params, ...)
end
return true
"""
_PLACES = "return vim.tbl_map(function(item) return vim.fn.bufname(item.bufnr) end, vim.fn.getqflist())"
_INTO_CHAT = f"vim.api.nvim_set_current_win(vim.fn.bufwinid({_CHAT})) return true"


def _answered(editor: Neovim, times: int) -> None:
    editor.wait("the answer", f"select(2, {_TEXT}:gsub('\\n_local ', '')) == times", times=times)


def test_a_question_whose_server_is_killed_ends(nvim: Open, fixed: Fixed) -> None:
    fixed.author = lambda prompt: time.sleep(20) or ""
    with nvim("shop/inventory.py", at=fixed.home) as editor:
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        editor.wait("the question", f"{_TEXT}:find('not checked yet', 1, true)")
        for child in psutil.Process(editor.lua("return vim.fn.getpid()")).children():
            if "serve" in child.cmdline():
                child.kill()
        editor.wait("the end", f"{_TEXT}:find('the server ended before it answered', 1, true)")


@pytest.mark.parametrize("older", ["", "0.10"])
def test_a_stopped_question_fails_no_more_when_the_server_ends(nvim: Open, fixed: Fixed, older: str) -> None:
    fixed.author = lambda prompt: time.sleep(5) or ""
    with nvim("shop/inventory.py", at=fixed.home, older=older) as editor:
        client = "require('pointsman.client').all()[1]"
        first = editor.lua(f"return {client}.id")
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        editor.wait("the question", f"{_TEXT}:find('not checked yet', 1, true)")
        editor.lua("require('pointsman.chat').stop() return true")
        editor.wait("the server's word", f"next({client}.requests) == nil")
        assert "\n_stopped_" in editor.lua(f"return {_TEXT}")
        for child in psutil.Process(editor.lua("return vim.fn.getpid()")).children():
            if "serve" in child.cmdline():
                child.kill()
        editor.wait("another server", f"{client} ~= nil and {client}.initialized and {client}.id ~= first", first=first)
        assert "the server ended" not in editor.lua("return vim.fn.execute('messages')")
        assert "\n_stopped_" in editor.lua(f"return {_TEXT}")


def test_the_server_is_told_of_the_last_four_turns(nvim: Open, fixed: Fixed) -> None:
    with nvim("shop/cart.py", at=fixed.home) as editor:
        editor.lua(_RECORD_SENT)
        for number in range(1, 7):
            editor.lua(f"require('pointsman.chat').ask('how is a discount taken, {number}?') return true")
            _answered(editor, number)
        told = [turn["text"] for turn in editor.lua("return _G.sent[6].history") if turn["role"] == "user"]
        assert told == [f"how is a discount taken, {number}?" for number in range(2, 6)]


def test_asked_again_it_is_about_the_same_lines_and_in_the_chat_about_the_same_project(
    nvim: Open, fixed: Fixed
) -> None:
    with nvim("shop/cart.py", at=fixed.home) as editor:
        editor.lua(_RECORD_SENT)
        editor.press(":34,38Pointsman explain<CR>")
        _answered(editor, 1)
        editor.lua(_INTO_CHAT)
        editor.press("r")
        editor.wait("the same again", "#_G.sent == 2")
        _answered(editor, 1)
        first, second = editor.lua("return _G.sent")
        assert first["textDocument"] == second["textDocument"] and first["range"] == second["range"]
        editor.lua(f"{_INTO_CHAT[: -len('return true')]} require('pointsman.chat').ask('and why?') return true")
        _answered(editor, 2)
        third = editor.lua("return _G.sent[3]")
        assert third["textDocument"] == first["textDocument"] and "range" not in third
        assert [turn["role"] for turn in third["history"]] == ["user", "assistant"]


def test_a_deleted_chat_is_made_anew(nvim: Open, fixed: Fixed) -> None:
    with nvim("shop/cart.py", at=fixed.home) as editor:
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        _answered(editor, 1)
        editor.lua(f"vim.cmd.bdelete({_CHAT}) return true")
        editor.press(":Pointsman ask how is stock taken?<CR>")
        _answered(editor, 2)
        assert editor.lua(f"return {{ vim.bo[{_CHAT}].buftype, vim.bo[{_CHAT}].modified }}") == ["nofile", False]


@pytest.mark.parametrize("older", ["", "0.11", "0.10"])
def test_of_a_repository_in_another_the_nearer_is_the_workspace(
    nvim: Open, fixed: Fixed, repository: Path, older: str
) -> None:
    (repository / ".pointsman").mkdir(exist_ok=True)
    inner = repository / "vendor" / "ledger"
    inner.mkdir(parents=True)
    (inner / "cart.py").write_text('def post(entry):\n    """Posts an entry to the ledger."""\n    return entry\n')
    subprocess.run(["git", "init", "-q"], cwd=inner, check=True)
    with nvim("vendor/ledger/cart.py", at=fixed.home, older=older) as editor:
        client = "require('pointsman.client').of(0)"
        editor.wait("the workspace", f"{client}.config.root_dir == root", root=str(inner))
        editor.press(":Pointsman ask how is an entry posted to the ledger?<CR>")
        editor.wait("the answer", f"{_TEXT}:find('\\n_local ', 1, true)")
        (place, *_) = editor.lua(
            "return vim.tbl_map(function(item) return vim.fn.bufname(item.bufnr) end, vim.fn.getqflist())"
        )
        assert place.endswith("vendor/ledger/cart.py")
