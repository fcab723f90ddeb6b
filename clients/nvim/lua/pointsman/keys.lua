--- Insert-mode mappings. A key does what it did before when no suggestion is there to be taken.
local M = {}

local actions = {
  accept = function()
    local accept = require('pointsman.accept')
    return not accept.would_indent() and accept.accept('all')
  end,
  accept_word = function()
    return require('pointsman.accept').accept('word')
  end,
  accept_line = function()
    return require('pointsman.accept').accept('line')
  end,
  next = function()
    require('pointsman.accept').cycle(1)
    return true
  end,
  previous = function()
    require('pointsman.accept').cycle(-1)
    return true
  end,
  dismiss = function()
    return require('pointsman.accept').dismiss()
  end,
}

--- What the key was mapped to before us, as keys to type.
local function before(key)
  local map = vim.fn.maparg(key, 'i', false, true)
  if vim.tbl_isempty(map) or (map.desc or ''):match('^Pointsman') then
    return function()
      return key
    end
  elseif map.callback and map.expr == 1 then
    return map.callback
  elseif map.callback then
    return function()
      vim.schedule(map.callback) -- ours is an expression, in which no text may change
      return ''
    end
  elseif map.expr == 1 then
    return function()
      return vim.api.nvim_eval(map.rhs)
    end
  end
  return function()
    return map.rhs
  end
end

---@param keys pointsman.Keys
function M.map(keys)
  for name, key in pairs(keys) do
    if key then
      local otherwise = before(key)
      vim.keymap.set('i', key, function()
        if vim.fn.pumvisible() == 1 and name == 'accept' or not actions[name]() then
          return otherwise()
        end
        return ''
      end, { expr = true, silent = true, replace_keycodes = true, desc = 'Pointsman: ' .. name:gsub('_', ' ') })
    end
  end
end

return M
