"""Questions and refactors in a real, headless Neovim with the real model."""

from __future__ import annotations

from pathlib import Path

import pytest

from .neovim_fixtures import Open, fixed, fixed_home, home, installed, nvim, repository

pytestmark = pytest.mark.model

_FLOATS = """
function()
  return vim.tbl_filter(function(window)
    return vim.api.nvim_win_get_config(window).relative ~= ''
  end, vim.api.nvim_list_wins())
end
"""
_TEXT_OF_FLOAT = """
function(window)
  return table.concat(vim.api.nvim_buf_get_lines(vim.api.nvim_win_get_buf(window), 0, -1, false), ' ')
end
"""


def test_a_question_its_citation_from_the_quickfix_list_and_from_the_chat(nvim: Open, repository: Path) -> None:
    with nvim("shop/inventory.py") as editor:
        editor.press(":Pointsman ask how is a discount taken off a total?<CR>")
        chat = "vim.fn.bufnr('pointsman://chat')"
        text = f"table.concat(vim.api.nvim_buf_get_lines({chat}, 0, -1, false), '\\n')"
        editor.wait("the answer", f"{chat} ~= -1 and {text}:find('_local ', 1, true)")
        (first, *_) = editor.lua("return vim.fn.getqflist()")
        title = editor.lua("return vim.fn.getqflist({ title = 1 }).title")
        assert title == "Pointsman: how is a discount taken off a total?"
        editor.press(":cc 1<CR>")
        editor.wait("the cited file", "vim.fn.expand('%:t') == 'cart.py'")
        assert editor.lua("return vim.fn.line('.')") == first["lnum"]
        assert "apply_discount" in "\n".join(editor.lines()[first["lnum"] - 1 : first["end_lnum"]])

        editor.press(":edit shop/inventory.py<CR>")
        editor.lua(f"vim.api.nvim_set_current_win(vim.fn.bufwinid({chat})) return true")
        editor.press("gg/^\\[1\\]<CR>")
        editor.press("<CR>")
        editor.wait("the cited file", "vim.fn.expand('%:t') == 'cart.py'")


def test_a_refactor_is_shown_taken_by_hunk_and_undone(nvim: Open, repository: Path) -> None:
    path = repository / "shop" / "bare.py"
    path.write_text("def subtract(a, b):\n    return a - b\n")
    with nvim("shop/bare.py") as editor:
        editor.press(":1,2Pointsman refactor add a docstring<CR>")
        editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.diff")
        proposed = editor.lines()
        assert '"""' in proposed[1] and proposed[-1] == "    return a - b"
        wanted = "vim.fn.getbufline(vim.fn.bufnr('bare.py'), 1, '$')"
        assert editor.lua(f"return {wanted}") == ["def subtract(a, b):", "    return a - b"], "nothing is applied yet"
        editor.press("a")
        editor.wait("the change", f"#{wanted} > 2")
        assert editor.lua(f"return {wanted}") == proposed
        editor.press("q")
        editor.wait("the end of the review", "#vim.api.nvim_list_tabpages() == 1")
        editor.press("u")
        editor.wait("the file as it was", f"#{wanted} == 2")


def test_a_refactor_is_declined_or_taken_whole_as_one_step(nvim: Open, repository: Path) -> None:
    path = repository / "shop" / "bare.py"
    path.write_text("def subtract(a, b):\n    return a - b\n")
    with nvim("shop/bare.py") as editor:
        for key, lines in (("q", 2), ("A", 3)):
            editor.press(":1,2Pointsman refactor add a docstring<CR>")
            editor.wait("the review", "#vim.api.nvim_list_tabpages() == 2 and vim.wo.diff")
            editor.press(key)
            editor.wait("the end of the review", "#vim.api.nvim_list_tabpages() == 1")
            assert len(editor.lines()) >= lines and (key == "A" or len(editor.lines()) == 2)
        editor.press("u")
        editor.wait("the file as it was", "vim.api.nvim_buf_line_count(0) == 2")


def test_status_explanation_and_receipts(nvim: Open) -> None:
    with nvim() as editor:
        editor.press(":Pointsman status<CR>")
        floats = f"({_FLOATS})()"
        shown = f"({_TEXT_OF_FLOAT})({floats}[1] or 0)"
        editor.wait("the status", f"#{floats} == 1 and {shown}:find('host', 1, true)")
        editor.press("Go<CR>def subtract(a, b):<CR>return ")
        editor.wait("an answer", "require('pointsman.native').first()")
        editor.press("<Esc>:Pointsman explain<CR>")
        editor.wait("the explanation", f"#{floats} == 1 and {shown}:find('model', 1, true)")
        editor.press("<Esc>:Pointsman audit<CR>")
        editor.wait("the receipts", "vim.api.nvim_buf_get_name(0):find('pointsman://audit', 1, true)")
