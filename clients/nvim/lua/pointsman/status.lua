--- How the server is: a word for a status line, and a page for `:Pointsman status`.
local M = {}

local NORMAL = { kind = 'Normal', busy = false, message = '' }
---@type table<integer, table> by client
local last = {}

function M.changed(status, client_id)
  last[client_id] = status
  vim.cmd('redrawstatus')
end

--- For 'statusline': "" where no server is attached.
---@return string
function M.line()
  local bufnr = vim.api.nvim_get_current_buf()
  local client = require('pointsman.client').attached(bufnr)
  if not client then
    return ''
  elseif require('pointsman.pause').paused(bufnr) then
    return 'Pointsman: paused'
  end
  local now = last[client.id] or NORMAL
  local text = now.message ~= '' and now.message or now.kind:lower()
  return 'Pointsman: ' .. text .. (now.busy and ' …' or '')
end

local function lines_of(status)
  local lines = { ('%s%s'):format(status.kind, status.message ~= '' and ': ' .. status.message or '') }
  local host = status.host or {}
  lines[#lines + 1] = ('host %s, %d windows, %d MB'):format(
    host.version or '?',
    host.clients or 0,
    math.floor((host.memory_bytes or 0) / 1048576)
  )
  for _, engine in ipairs(host.engines or {}) do
    lines[#lines + 1] = ('model %s: %s %s'):format(engine.model, engine.state, engine.message or '')
  end
  for _, index in ipairs(host.indexes or {}) do
    lines[#lines + 1] = ('index %s: %d files, %d pieces%s'):format(
      index.root,
      index.files,
      index.chunks,
      index.busy and ', working' or ''
    )
  end
  if require('pointsman.pause').paused(0) then
    local word = require('pointsman.pause').word(0)
    lines[#lines + 1] = ('ghost text is paused here; :Pointsman pause%s switches it on'):format(word)
  end
  return lines
end

function M.show()
  require('pointsman.client').ask('pointsman/status', vim.empty_dict(), function(status)
    require('pointsman.window').float(lines_of(status), ' Pointsman ')
  end)
end

return M
