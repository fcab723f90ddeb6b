"""When a proposal comes up in Neovim, and what becomes of it where the file cannot be changed any more."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .neovim_editor import Neovim
from .neovim_fixtures import Fixed, Open, fixed, fixed_home, home, installed, nvim, repository

pytestmark = pytest.mark.model

_OFFER = """
local place = { line = 0, character = 0 }
local client = require('pointsman.client').all()[1]
local changes = vim.tbl_map(function(name)
  return {
    textDocument = { uri = vim.uri_from_fname(root .. '/shop/' .. name), version = vim.NIL },
    edits = { { range = { start = place, ['end'] = place }, newText = '# first\\n', annotationId = 'p' } },
  }
end, names)
local edit = { changeAnnotations = { p = { label = 'L', needsConfirmation = true } }, documentChanges = changes }
client.handlers['workspace/applyEdit'](nil, { edit = edit }, { client_id = client.id }, {})
return true
"""
"""What the server does when its proposal is ready: a line on top of each of `names`."""
_TABS = "#vim.api.nvim_list_tabpages()"
_READY = f"{_TABS} == 2 and vim.wo.winbar:find('A: take all', 1, true)"
_MESSAGES = "vim.api.nvim_exec2('messages', { output = true }).output"
_CART = "vim.fn.getbufline(vim.fn.bufnr('cart.py'), 1, '$')"


def _offer(editor: Neovim, repository: Path, *names: str) -> None:
    editor.lua(_OFFER, root=str(repository), names=names or ["cart.py"])


@pytest.mark.parametrize("older", ["", "0.10"])
def test_a_proposal_waits_while_the_user_types(nvim: Open, fixed: Fixed, repository: Path, older: str) -> None:
    with nvim(at=fixed.home, older=older) as editor:
        before = editor.lines()
        editor.press("Go")
        _offer(editor, repository)
        for _ in range(8):
            editor.press("xA")
            time.sleep(0.2)
            assert editor.lua(f"return {_TABS}") == 1, "it came up in Insert mode"
        editor.wait("the word of it", f"{_MESSAGES}:find('a proposal is ready; it opens when you pause', 1, true)")
        editor.press("<Esc>")
        editor.wait("the review", _READY)
        assert editor.lua(f"return {_CART}") == [*before, "xA" * 8]
        editor.press("ix<Esc>")  # nothing can be written into the proposal
        assert editor.lines() == ["# first", *before, "xA" * 8]


def test_a_key_that_was_on_its_way_takes_nothing(nvim: Open, fixed: Fixed, repository: Path) -> None:
    typed_ahead = (
        "local cmd = vim.cmd vim.cmd = setmetatable({}, { __index = cmd, __call = function(_, text)"
        " cmd(text) if text == 'silent! normal! gg]c' then vim.api.nvim_feedkeys('Aaq', 't', false) end end })"
    )
    with nvim(at=fixed.home, extra=typed_ahead) as editor:
        before = editor.lines()
        _offer(editor, repository)
        editor.wait("the review", _READY)
        assert editor.lua(f"return {_CART}") == before
        editor.press("A")
        editor.wait("the change", f"{_TABS} == 1 and {_CART}[1] == '# first'")


def test_a_proposal_waits_for_the_command_line_window(nvim: Open, fixed: Fixed, repository: Path) -> None:
    with nvim(at=fixed.home) as editor:
        editor.press("q:")
        editor.wait("its window", "vim.fn.getcmdwintype() == ':'")
        _offer(editor, repository)
        editor.wait("the word of it", f"{_MESSAGES}:find('a proposal is ready', 1, true)")
        editor.press(":quit<CR>")
        editor.wait("the review", _READY)
        assert "E11" not in editor.lua(f"return {_MESSAGES}")


def test_why_a_file_cannot_be_changed_is_told(nvim: Open, fixed: Fixed, repository: Path) -> None:
    with nvim(at=fixed.home) as editor:
        before = editor.lines()
        editor.press(":setlocal nomodifiable<CR>")
        _offer(editor, repository)
        editor.wait("the review", _READY)
        for key in "aA":
            editor.press(f":messages clear<CR>{key}")
            editor.wait("why", f"{_MESSAGES}:find(\"cart.py cannot be changed: it is not 'modifiable'\", 1, true)")
        assert editor.lua(f"return {_CART}") == before
        editor.lua("vim.api.nvim_buf_delete(vim.fn.bufnr('cart.py'), { force = true }) return true")
        editor.press("A")
        editor.wait("why", f"{_MESSAGES}:find('the file was closed since', 1, true)")
        assert "stack traceback" not in editor.lua(f"return {_MESSAGES}")


def test_a_file_that_cannot_be_opened_leaves_the_others(nvim: Open, fixed: Fixed, repository: Path) -> None:
    broken = (
        "vim.api.nvim_create_autocmd('BufReadPre', { pattern = '*/inventory.py',"
        " command = 'throw \"E325: ATTENTION\"' })"
    )
    with nvim(at=fixed.home, extra=broken) as editor:
        _offer(editor, repository, "inventory.py", "cart.py")
        editor.wait("the review of the other", _READY)
        told = editor.lua(f"return {_MESSAGES}")
        assert "inventory.py is left out, it cannot be opened: E325" in told and "traceback" not in told


def test_a_declined_file_that_was_not_open_is_in_no_list(nvim: Open, fixed: Fixed, repository: Path) -> None:
    with nvim(at=fixed.home) as editor:
        for key, exists in (("q", 0), ("A", 1)):
            _offer(editor, repository, "inventory.py")
            editor.wait("the review", _READY)
            editor.press(key)
            editor.wait("the end", f"{_TABS} == 1")
            editor.wait("the list", "vim.fn.buflisted('shop/inventory.py') == e", e=exists)
            editor.wait("the buffer", "vim.fn.bufexists('shop/inventory.py') == e", e=exists)
