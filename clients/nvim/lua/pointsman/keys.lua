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
    return require('pointsman.accept').cycle(1)
  end,
  previous = function()
    return require('pointsman.accept').cycle(-1)
  end,
  dismiss = function()
    return require('pointsman.accept').dismiss()
  end,
}

---@class pointsman.Mapped
---@field key string
---@field ours function by which our mapping is known again
---@field before table|nil the user's mapping, as `nvim_get_keymap` has it

---@type pointsman.Mapped[]
local mapped = {}

--- Keys as Neovim has them.
local function raw(keys)
  return vim.api.nvim_replace_termcodes(keys, true, true, true)
end

--- A key's name: it may be written in several ways, and be kept in several forms.
local function named(key)
  return vim.fn.keytrans(raw(key))
end

--- The mapping of a key for all buffers: one of a buffer alone goes before ours anyway.
---@return table|nil
local function mapping(key)
  local wanted = named(key)
  for _, map in ipairs(vim.api.nvim_get_keymap('i')) do
    if vim.fn.keytrans(map.lhsraw) == wanted then
      return map
    end
  end
end

--- What the key did before us, as keys to type. Ours is an expression, and takes those literally.
---@param mine pointsman.Mapped
---@return string
local function otherwise(mine)
  local map = mine.before
  if not map then
    if named(mine.key):match('^<M%-.>$') then
      -- Of a key that was typed and is not mapped, Neovim makes <Esc> and the letter.
      vim.api.nvim_feedkeys(raw(mine.key), 'int', false)
      return ''
    end
    return raw(mine.key)
  end
  local rhs = (map.rhs or ''):gsub('<SID>', ('<SNR>%d_'):format(map.sid or 0))
  if map.expr == 1 then
    local keys = map.callback and map.callback() or not map.callback and vim.api.nvim_eval(rhs) or ''
    return map.replace_keycodes == 1 and raw(tostring(keys)) or tostring(keys)
  elseif map.callback then
    -- In an expression no text may change; as a command it runs before the next key.
    M.run = map.callback
    return raw('<Cmd>lua require("pointsman.keys").run()<CR>')
  end
  return raw(rhs)
end

--- Give back the keys that are still ours.
function M.unmap()
  for _, mine in ipairs(mapped) do
    local now = mapping(mine.key)
    if now and now.callback == mine.ours then
      vim.keymap.del('i', mine.key)
      if mine.before then
        vim.fn.mapset('i', false, mine.before)
      end
    end
  end
  mapped = {}
end

---@param keys pointsman.Keys
function M.map(keys)
  M.unmap()
  for name, key in pairs(keys) do
    if key then
      local mine = { key = key, before = mapping(key) }
      mine.ours = function()
        if vim.fn.pumvisible() == 1 and name == 'accept' or not actions[name]() then
          return otherwise(mine)
        end
        return ''
      end
      mapped[#mapped + 1] = mine
      vim.keymap.set('i', key, mine.ours, {
        expr = true,
        silent = true,
        replace_keycodes = false,
        remap = mine.before ~= nil and mine.before.noremap == 0, -- as the user's own
        desc = 'Pointsman: ' .. name:gsub('_', ' '),
      })
    end
  end
end

return M
