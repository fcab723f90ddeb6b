--- Neovim 0.12's own inline completion: switched on for a buffer, and watched for what it was told.
---
--- `vim.lsp.inline_completion` keeps an answer on the screen when the user types something else, and does not adjust its
--- range to what was typed since. So replies that do not fit any more are kept from it, what the user typed away from is
--- taken off the screen, and an accepted item is put in by us (accept.lua).
local held = require('pointsman.held')
local replies = require('pointsman.replies')
local suggestion = require('pointsman.suggestion')

local M = {}

local METHOD = 'textDocument/inlineCompletion'
local INVOKED = 1
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

--- See each inline completion request that Neovim makes of this client, and its answer. Those that the user calls for are
--- ours (typing.lua).
function M.watch(client)
  local request = client.request
  client.request = function(self, method, params, handler, bufnr)
    if method ~= METHOD or not handler or params.context.triggerKind == INVOKED then
      return request(self, method, params, handler, bufnr)
    end
    local asked = replies.asked()
    return request(self, method, params, function(err, result, ctx)
      local fits = replies.fitting(asked, result, client)
      if not fits then
        return
      end
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

--- Follow the keys. Neovim would draw at each of them what the user typed away from, and beside a bracket that was closed
--- meanwhile the same bracket again: the one is hidden, the other drawn by us.
local function follow(event)
  local last = seen[event.buf]
  local s = last and last.list[1]
  local fit = s and suggestion.fit(s)
  local closed = fit and fit.last - fit.col > s.last - s.col
  if s and (not fit or closed) then
    last.list, last.hidden = {}, true
    held.show({ closed and s or nil })
  end
  if last and last.hidden then
    local drawn = vim.api.nvim_create_namespace('nvim.lsp.inline_completion')
    vim.api.nvim_buf_clear_namespace(event.buf, drawn, 0, -1)
  end
end

--- Called after `enable`, so that it runs after Neovim's own.
function M.follow(bufnr)
  vim.api.nvim_clear_autocmds({ group = group, buffer = bufnr })
  vim.api.nvim_create_autocmd({ 'CursorMovedI', 'TextChangedI' }, { group = group, buffer = bufnr, callback = follow })
end

return M
