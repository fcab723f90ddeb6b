"""The plugin in a real, headless Neovim: ghost text and its keys, with the real model and with fixed suggestions."""

from __future__ import annotations

import time

import psutil
import pytest

from tests.e2e.conftest import Home

from .neovim_editor import wait
from .neovim_fixtures import Fixed, Open, fixed, fixed_home, home, installed, nvim, repository

pytestmark = pytest.mark.model

PAIRS = "vim.cmd('inoremap ( ()<Left>')"
"""What an auto-pairing plugin does, in its smallest form."""
COUNTED = """
_G.asked = 0
vim.api.nvim_create_autocmd('LspRequest', { callback = function(event)
  _G.asked = _G.asked + (event.data.request.method == 'textDocument/inlineCompletion' and 1 or 0)
end })
"""
"""Counts what becomes of requests for suggestions."""


def test_ghost_text_of_the_real_model_is_taken_by_tab_and_undone_alone(nvim: Open) -> None:
    with nvim() as editor:
        editor.press("Go<CR>def subtract(a, b):<CR>return ")
        ghost = wait("ghost text", editor.ghost, told=editor.state)
        line = editor.lua("return vim.api.nvim_get_current_line()")
        editor.press("<Tab>")
        first = ghost.split("\n")[0]
        editor.wait("the accepted line", "vim.api.nvim_get_current_line() ~= line", line=line)
        assert f"{line}{first}" in editor.lines()
        editor.press("<Esc>u")
        editor.wait("the undone line", "vim.api.nvim_get_current_line() == line", line=line)


def test_a_suggestion_is_taken_word_by_word_then_by_line(nvim: Open, fixed: Fixed) -> None:
    fixed.answers = {"rebate =": [" price * quantity\nprint(rebate)\n"]}
    with nvim(at=fixed.home) as editor:
        editor.press("Gorebate =")
        wait("ghost text", lambda: editor.ghost().startswith(" price * quantity"), told=editor.state)
        for key, line in (
            ("<M-w>", "rebate = price"),
            ("<M-w>", "rebate = price *"),
            ("<M-l>", "rebate = price * quantity"),
        ):
            editor.press(key)
            editor.wait(line, "vim.api.nvim_get_current_line() == line", line=line)


@pytest.mark.parametrize("keys", ["<Tab>", "<M-w><M-w><M-w><M-w>", "a<Tab>", "<M-l>"])
def test_brackets_are_never_doubled(nvim: Open, fixed: Fixed, keys: str) -> None:
    fixed.answers = {"total = sum(": ["a, b)"], "total = sum(a": [", b)"]}
    with nvim(at=fixed.home, extra=PAIRS) as editor:
        editor.press("Gototal = sum(")
        wait("ghost text", lambda: "a, b" in editor.ghost(), told=editor.state)
        for key in keys.replace("><", "> <").split(" "):
            editor.press(key)
        editor.wait("the closed call", "vim.api.nvim_get_current_line():find('b)', 1, true)")
        assert editor.lua("return vim.api.nvim_get_current_line()") == "total = sum(a, b)"


@pytest.mark.parametrize("older", ["", "0.11", "0.10"])
@pytest.mark.parametrize("keys", ["<Tab>", "<M-w>" * 5])
def test_brackets_that_were_opened_since_are_not_doubled(nvim: Open, fixed: Fixed, keys: str, older: str) -> None:
    fixed.answers = {"total =": [" sum(rows[first], (last))"]}
    with nvim(at=fixed.home, extra=PAIRS + "\nvim.cmd('inoremap [ []<Left>')", older=older) as editor:
        editor.press("Gototal =")
        wait("ghost text", lambda: editor.ghost().startswith(" sum("), told=editor.state)
        editor.press(" sum(rows[")
        editor.wait("the pairs", "vim.api.nvim_get_current_line() == 'total = sum(rows[])'")
        for key in keys.replace("><", "> <").split(" "):
            editor.press(key)
        editor.wait("the call", "vim.api.nvim_get_current_line():find('last))', 1, true)")
        assert editor.lua("return vim.api.nvim_get_current_line()") == "total = sum(rows[first], (last))"


def test_ghost_text_goes_when_something_else_is_typed(nvim: Open, fixed: Fixed) -> None:
    fixed.answers = {"rebate =": [" price * quantity"]}
    with nvim(at=fixed.home) as editor:
        editor.press("Gorebate =")
        wait("ghost text", lambda: editor.ghost() == " price * quantity", told=editor.state)
        fixed.answers = {}
        editor.press(" p")
        wait("the rest of it", lambda: editor.ghost() == "rice * quantity", told=editor.state)
        editor.press("x")
        assert editor.ghost() == ""
        editor.press("<Tab>")
        editor.wait("a tab", "vim.api.nvim_get_current_line():match('px%s')")


def test_alternatives(nvim: Open, fixed: Fixed) -> None:
    texts = [" price", " quantity", " percent"]
    fixed.answers = {"rebate =": list(texts)}
    with nvim(at=fixed.home) as editor:
        editor.press("Gorebate =")
        seen = [wait("ghost text", editor.ghost, told=editor.state)]
        for _ in range(2):
            editor.press("<M-n>")
            seen.append(
                wait("another", lambda: editor.ghost() not in (seen[-1], "") and editor.ghost(), told=editor.state)
            )
        assert sorted(seen) == sorted(texts)
        editor.press("<M-p>")
        wait("the one before", lambda: editor.ghost() == seen[-2], told=editor.state)
        editor.press("<C-]>")
        wait("no ghost text", lambda: not editor.ghost(), told=editor.state)
        editor.press("<M-n>")
        taken = wait("ghost text", editor.ghost, told=editor.state)
        editor.press("<Tab>")
        editor.wait("the taken one", "vim.api.nvim_get_current_line() == line", line="rebate =" + taken)


def test_a_key_that_was_a_function_still_is_one(nvim: Open, fixed: Fixed) -> None:
    extra = "vim.keymap.set('i', '<Tab>', function() vim.api.nvim_put({ 'X' }, 'c', true, true) end)"
    with nvim(at=fixed.home, extra=extra) as editor:
        editor.press("Go<Tab>")
        editor.wait("its text", "vim.api.nvim_get_current_line() == 'X'")


def test_pause_and_on(nvim: Open, fixed: Fixed) -> None:
    fixed.answers = {"rebate =": [" price"]}
    with nvim(at=fixed.home, extra=COUNTED) as editor:
        editor.press(":Pointsman pause<CR>")
        editor.wait("the pause", "require('pointsman').status() == 'Pointsman: paused'")
        before = editor.lua("return _G.asked")
        editor.press("Gorebate =")
        time.sleep(1.5)  # the plugin waits for the next key a part of that
        assert editor.ghost() == "" and editor.lua("return _G.asked") == before
        editor.press("<Esc>:Pointsman pause<CR>A")
        wait("ghost text", editor.ghost, told=editor.state)


def test_the_server_is_killed_and_comes_back(nvim: Open) -> None:
    with nvim() as editor:
        client = "require('pointsman.client').all()[1]"
        first = editor.lua(f"return {client}.id")
        for child in psutil.Process(editor.lua("return vim.fn.getpid()")).children():
            if "serve" in child.cmdline():
                child.kill()
        editor.wait("another server", f"{client} ~= nil and {client}.initialized and {client}.id ~= first", first=first)
        editor.press("Go<CR>def subtract(a, b):<CR>return ")
        assert wait("ghost text", editor.ghost, told=editor.state)


def test_health_help_and_what_can_be_typed(nvim: Open, home: Home) -> None:
    with nvim() as editor:
        editor.press(":checkhealth pointsman<CR>")
        editor.wait("the health report", "vim.bo.filetype == 'checkhealth' and vim.fn.search('doctor', 'nw') > 0")
        report = "\n".join(editor.lines())
        assert "native inline completion" in report and "ERROR" not in report
        assert f"config folder: {home.path / 'config'}" in report and "version unknown" not in report
        assert editor.lua("return vim.fn.getcompletion('Pointsman ', 'cmdline')") == [
            "ask",
            "audit",
            "chat",
            "docs",
            "explain",
            "pause",
            "refactor",
            "refactor!",
            "status",
            "tests",
            "trust",
        ]
        assert editor.lua("return vim.fn.getcompletion('Pointsman pause f', 'cmdline')") == ["filetype"]


def test_options_that_are_no_lists_are_told_and_nothing_starts(nvim: Open) -> None:
    with nvim() as editor:
        for name, value in (("root_markers", "'.git'"), ("filetypes", "'lua'"), ("exclude_filetypes", "{ 1 }")):
            (fault,) = editor.lua(f"return require('pointsman.config').set {{ {name} = {value} }}")
            assert fault.startswith(f"{name} is ") and "must be a list of strings" in fault
        assert editor.lua("return require('pointsman.config').set { filetypes = { 'lua' }, root_markers = {} }") == []
