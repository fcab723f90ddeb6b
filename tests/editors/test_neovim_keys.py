"""The plugin's insert-mode keys beside mappings that the user has, and what `u` takes back."""

from __future__ import annotations

import pytest

from .neovim_editor import Neovim, wait
from .neovim_fixtures import Fixed, Open, fixed, fixed_home, home, installed, nvim, repository

pytestmark = pytest.mark.model

_LINE = "vim.api.nvim_get_current_line() == line"
_USERS = """
vim.cmd([[inoremap <expr> <Tab> "a\\<Left>b"]])
vim.keymap.set('i', '<M-w>', function() return 'c<Left>d' end, { expr = true })
vim.keymap.set('i', '<M-l>', function() vim.api.nvim_put({ 'X' }, 'c', false, true) end)
vim.cmd('imap <C-]> <Plug>inner')
vim.cmd('inoremap <Plug>inner I')
"""
"""Mappings of the user of each kind, made before `setup`."""


def _types(editor: Neovim, keys: str, line: str) -> None:
    editor.press(f"<Esc>:%d<CR>i{keys}")
    editor.wait(line, _LINE, line=line)


@pytest.mark.parametrize("older", ["", "0.10"])
def test_a_key_without_a_suggestion_does_what_the_user_mapped_it_to(nvim: Open, fixed: Fixed, older: str) -> None:
    with nvim("README.md", at=fixed.home, extra=_USERS, older=older) as editor:
        for _ in range(2):
            _types(editor, "<Tab>", "ba")  # an expression that returns a special key
            _types(editor, "<M-w>.", "d.c")
            _types(editor, "1<M-l>2", "1X2")  # in order
            _types(editor, "<C-]>", "I")  # a mapping of a mapping
            editor.lua(
                "local c = vim.deepcopy(require('pointsman.config').current)"
                " c.suggest = false require('pointsman').setup(c) return true"
            )


def test_a_key_without_a_mapping_does_what_neovim_does(nvim: Open, fixed: Fixed) -> None:
    with nvim("shop/cart.py", at=fixed.home, extra="vim.keymap.set('i', '<M-n>', 'mine')") as editor:
        editor.press(":enew<CR>ione two<Esc>0i<M-w>")
        editor.wait("a word on in Normal mode", "vim.fn.mode() == 'n' and vim.fn.col('.') == 5")
        assert editor.lines() == ["one two"]
        editor.press("A<M-n>")  # a buffer without a server
        editor.wait("the user's", _LINE, line="one twomine")


def test_other_keys_give_the_old_ones_back(nvim: Open, fixed: Fixed) -> None:
    with nvim("README.md", at=fixed.home, extra="vim.keymap.set('i', '<Tab>', 'mine')") as editor:
        options = "{ cmd = require('pointsman.config').current.cmd, keys = keys }"
        editor.lua(f"require('pointsman').setup {options} return true", keys={"accept": "<C-f>"})
        mapped = "return vim.fn.maparg(key, 'i', false, true).desc or vim.fn.maparg(key, 'i')"
        assert editor.lua(mapped, key="<Tab>") == "mine"
        assert editor.lua(mapped, key="<C-f>") == "Pointsman: accept"
        editor.lua(f"require('pointsman').setup {options} return true", keys=False)
        assert editor.lua(mapped, key="<C-f>") == "" and editor.lua(mapped, key="<M-w>") == ""


@pytest.mark.parametrize("older", ["", "0.11", "0.10"])
@pytest.mark.parametrize("key", ["<Tab>", "<M-w>"])
def test_what_is_taken_is_undone_alone_though_more_was_typed(nvim: Open, fixed: Fixed, key: str, older: str) -> None:
    fixed.answers = {"rebate =": [" price"]}
    with nvim(at=fixed.home, older=older) as editor:
        editor.press("Gorebate =")
        wait("ghost text", lambda: editor.ghost() == " price", told=editor.state)
        editor.press(key)
        editor.wait("the taken", _LINE, line="rebate = price")
        editor.press(" + 1<Esc>")
        editor.wait("the typed", _LINE, line="rebate = price + 1")
        for line in ("rebate = price", "rebate ="):
            editor.press("u")
            editor.wait(line, _LINE, line=line)


def test_ghost_text_of_the_plugin_goes_with_control_c(nvim: Open, fixed: Fixed) -> None:
    fixed.answers = {"rebate =": [" price * quantity"]}
    with nvim(at=fixed.home) as editor:
        editor.press("Gorebate =")
        wait("ghost text", editor.ghost, told=editor.state)
        editor.press("<M-w>")
        wait("the rest", lambda: editor.ghost() == " * quantity", told=editor.state)
        editor.press("<C-c>")
        editor.wait("Normal mode", "vim.fn.mode() == 'n'")
        assert editor.ghost() == ""
