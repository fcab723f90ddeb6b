--- Pointsman in Neovim: shows what the server says and sends what the user asks. See |pointsman.txt|.
local M = {}

--- Start, with `options` over the defaults of |pointsman-config|.
---@param options table|nil
function M.setup(options)
  if vim.fn.has('nvim-0.10') == 0 then
    vim.notify('Pointsman needs Neovim 0.10, and 0.12 for native inline completion', vim.log.levels.ERROR)
    return
  end
  local config = require('pointsman.config')
  local faults = config.set(options)
  if #faults > 0 then
    -- Later, for an error that is told while a file is read or by another program is told with a trace.
    vim.schedule(function()
      vim.notify('Pointsman is not started:\n' .. table.concat(faults, '\n'), vim.log.levels.ERROR)
    end)
    return
  end
  require('pointsman.pause').start_paused(not config.current.suggest)
  require('pointsman.client').enable()
  require('pointsman.keys').map(config.current.keys or {})
end

--- For 'statusline': how the server of this buffer is.
---@return string
function M.status()
  return require('pointsman.status').line()
end

--- Accept `all`, a `word` or a `line` of the suggestion. False when there is none.
---@param kind 'all'|'word'|'line'|nil
---@return boolean
function M.accept(kind)
  return require('pointsman.accept').accept(kind or 'all')
end

--- Show the next suggestion (1) or the one before (-1). False where no server helps.
---@param step 1|-1|nil
---@return boolean
function M.cycle(step)
  return require('pointsman.accept').cycle(step or 1)
end

--- Take the suggestion off the screen. False when there was none.
---@return boolean
function M.dismiss()
  return require('pointsman.accept').dismiss()
end

return M
