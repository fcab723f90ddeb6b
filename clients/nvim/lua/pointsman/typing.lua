--- Neovim 0.10 and 0.11 have no inline completion: asks as the user types, and shows the answer by extmarks.
local held = require('pointsman.held')
local replies = require('pointsman.replies')

local M = {}

local DEBOUNCE_MS = 200 -- as Neovim 0.12 does
local group = vim.api.nvim_create_augroup('pointsman.typing', { clear = true })
local timer

local function ask(bufnr)
  local client = require('pointsman.client').of(bufnr)
  if not client or vim.api.nvim_get_current_buf() ~= bufnr or not vim.api.nvim_get_mode().mode:match('^i') then
    return
  end
  M.request(client, 2, held.show)
end

--- Ask for suggestions here. `kind` is 1 for one that the user called for, 2 while typing.
---@param take fun(list: pointsman.Suggestion[])
function M.request(client, kind, take)
  local asked = replies.asked()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  require('pointsman.client').send(client, 'textDocument/inlineCompletion', params, function(_, result)
    local list = vim.api.nvim_get_mode().mode:match('^i') and replies.fitting(asked, result, client)
    if list then
      take(list)
    end
  end, asked.bufnr)
end

function M.enable(bufnr, on)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  held.clear()
  if not on then
    return
  end
  vim.api.nvim_create_autocmd({ 'InsertEnter', 'CursorMovedI', 'TextChangedP' }, {
    group = group,
    buffer = bufnr,
    callback = function()
      if timer then
        timer:stop()
      end
      timer = vim.defer_fn(function()
        ask(bufnr)
      end, DEBOUNCE_MS)
    end,
  })
end

return M
