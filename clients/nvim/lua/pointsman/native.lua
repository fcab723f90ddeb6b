--- Neovim 0.12's own inline completion: switched on for a buffer, and watched for what it was told.
---
--- `vim.lsp.inline_completion` keeps an answer on the screen when the user types something else, and does not adjust its
--- range to what was typed since. So replies that do not fit any more are emptied before it sees them, and an accepted
--- item is put in by us (accept.lua).
local suggestion = require('pointsman.suggestion')
local held = require('pointsman.held')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local group = vim.api.nvim_create_augroup('pointsman.native', { clear = true })

---@type table<integer, { list: pointsman.Suggestion[], client_id: integer, hidden: true|nil }> by buffer
local seen = {}

---@return boolean
function M.available()
  return vim.lsp.inline_completion ~= nil
end

function M.enable(bufnr, on)
  vim.lsp.inline_completion.enable(on, { bufnr = bufnr })
end

--- Where the cursor is, and the line that a request is about.
function M.here()
  local cursor = vim.api.nvim_win_get_cursor(0)
  return {
    bufnr = vim.api.nvim_get_current_buf(),
    row = cursor[1] - 1,
    col = cursor[2],
    line = vim.api.nvim_get_current_line(),
  }
end

--- Suggestions of a reply that fit the buffer as it is now.
---@return pointsman.Suggestion[]
function M.fitting(asked, result, client)
  local found = {}
  for _, item in ipairs(result and (result.items or result) or {}) do
    local s = suggestion.new(asked, item, client.id, client.offset_encoding)
    if s and suggestion.fit(s) then
      found[#found + 1] = s
    end
  end
  return found
end

--- See each inline completion request of this client, and its answer.
function M.watch(client)
  local request = client.request
  client.request = function(self, method, params, handler, bufnr)
    if method ~= METHOD or not handler then
      return request(self, method, params, handler, bufnr)
    end
    local asked = M.here()
    return request(self, method, params, function(err, result, ctx)
      local fits = M.fitting(asked, result, client)
      seen[asked.bufnr] = { list = fits, client_id = client.id }
      if #fits > 0 then
        held.clear()
      end
      local items = vim.tbl_map(function(s)
        return s.item
      end, fits)
      return handler(err, result and { items = items }, ctx)
    end, bufnr)
  end
end

--- The suggestion that Neovim shows, when it is ours and still fits.
---@return pointsman.Suggestion|nil
local function ours(item)
  local last = seen[vim.api.nvim_get_current_buf()]
  if last and item.client_id == last.client_id then
    for _, s in ipairs(last.list) do
      if s.text == item.insert_text then
        return s
      end
    end
  end
end

--- What a key would take now.
---@return pointsman.Suggestion|nil
function M.first()
  local last = seen[vim.api.nvim_get_current_buf()]
  return last and last.list[1]
end

--- Take the suggestion off the screen and hand it over; one of another server is accepted by Neovim itself.
---@param take fun(s: pointsman.Suggestion)
---@return boolean whether there was any
function M.take(take)
  local shown = seen[vim.api.nvim_get_current_buf()]
  if shown and shown.hidden then
    return false -- Neovim still has it, but the user does not see it
  end
  return vim.lsp.inline_completion.get({
    on_accept = function(item)
      local s = ours(item)
      if not s then
        local last = seen[vim.api.nvim_get_current_buf()]
        return (not last or last.client_id ~= item.client_id) and item or nil
      end
      seen[s.bufnr] = nil
      take(s)
    end,
  })
end

function M.dismiss()
  seen[vim.api.nvim_get_current_buf()] = nil
  return vim.lsp.inline_completion.get({ on_accept = function() end })
end

--- Hide what the user typed away from. Neovim would leave it until the next answer.
local function hide_unfit(event)
  local last = seen[event.buf]
  if last and last.list[1] and not suggestion.fit(last.list[1]) then
    last.list, last.hidden = {}, true
    local drawn = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
    vim.api.nvim_buf_clear_namespace(event.buf, drawn, 0, -1)
  end
end

--- Called after `enable`, so that it runs after Neovim's own.
function M.hide_what_does_not_fit(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  vim.api.nvim_create_autocmd(
    { 'CursorMovedI', 'TextChangedI' },
    { group = group, buffer = bufnr, callback = hide_unfit }
  )
end

return M
