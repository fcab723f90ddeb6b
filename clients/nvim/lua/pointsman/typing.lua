--- Neovim 0.10 and 0.11 have no inline completion: asks as the user types, and shows the answer by extmarks.
local held = require('pointsman.held')
local native = require('pointsman.native')

local M = {}

local DEBOUNCE_MS = 200 -- as Neovim 0.12 does
local group = vim.api.nvim_create_augroup('pointsman.typing', { clear = true })
local timer

local function ask(bufnr)
  local client = require('pointsman.client').of(bufnr)
  if not client or vim.api.nvim_get_current_buf() ~= bufnr or not vim.api.nvim_get_mode().mode:match('^i') then
    return
  end
  M.request(client, 2, function(list)
    if #list > 0 then
      held.show(list)
    end
  end)
end

--- Ask for suggestions here. `kind` is 1 for one that the user called for, 2 while typing.
---@param take fun(list: pointsman.Suggestion[])
function M.request(client, kind, take)
  local asked = native.here()
  local params = vim.lsp.util.make_position_params(0, client.offset_encoding)
  params.context = { triggerKind = kind }
  require('pointsman.client').send(client, 'textDocument/inlineCompletion', params, function(_, result)
    if vim.api.nvim_get_mode().mode:match('^i') then
      take(native.fitting(asked, result, client))
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
