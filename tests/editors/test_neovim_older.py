"""The plugin in Neovim 0.10 and 0.11, which have no inline completion of their own: it draws the ghost text itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Home

from .neovim_editor import wait
from .neovim_fixtures import Fixed, Open, fixed, fixed_home, home, installed, nvim, repository

pytestmark = [pytest.mark.model, pytest.mark.parametrize("older", ["0.11", "0.10"])]


def test_ghost_text_others_and_by_word(nvim: Open, fixed: Fixed, older: str) -> None:
    fixed.answers = {"rebate =": [" price * quantity", " percent / hundred"]}
    with nvim(at=fixed.home, older=older) as editor:
        editor.press("Gorebate =")
        shown = wait("ghost text", editor.ghost, told=editor.state)
        editor.press("<M-n>")
        other = wait("another", lambda: editor.ghost() not in ("", shown) and editor.ghost(), told=editor.state)
        editor.press("<M-p>")
        shown = wait("the one before", lambda: editor.ghost() not in ("", other) and editor.ghost(), told=editor.state)
        editor.press("<M-w>")
        editor.wait("a word", "vim.api.nvim_get_current_line() ~= 'rebate ='")
        word = editor.lua("return vim.api.nvim_get_current_line()")
        taken = word.removeprefix("rebate =")
        assert taken.strip() and shown.startswith(taken) and len(taken) < len(shown)
        editor.press("<Tab>")
        editor.wait(
            "the rest", "vim.startswith(vim.api.nvim_get_current_line(), line)", line="rebate =" + shown.split("\n")[0]
        )


def test_a_question_a_refactor_and_health(nvim: Open, home: Home, repository: Path, older: str) -> None:
    (repository / "shop" / "bare.py").write_text("def subtract(a, b):\n    return a - b\n")
    with nvim("shop/bare.py", older=older) as editor:
        editor.press(":checkhealth pointsman<CR>")
        editor.wait("the health report", "vim.bo.filetype == 'checkhealth' and vim.fn.search('doctor', 'nw') > 0")
        report = "\n".join(editor.lines())
        assert "inline completion by extmarks" in report and "ERROR" not in report
        assert f"config folder: {home.path / 'config'}" in report
        editor.press(":tabonly!<CR>:edit shop/bare.py<CR>:only<CR>")
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        editor.wait("the places", "#vim.fn.getqflist() > 0")
        editor.press(":only<CR>:1,2Pointsman refactor add a docstring<CR>")
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.winbar:find('A: take', 1, true)")
        editor.press("A")
        editor.wait("the change", "#vim.api.nvim_list_tabpages() == 1 and vim.api.nvim_buf_line_count(0) > 2")
        editor.press("u")
        editor.wait("the file as it was", "vim.api.nvim_buf_line_count(0) == 2")
