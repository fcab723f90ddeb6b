--- What the user chose. Nothing here is about models, endpoints or policy: those are the server's.
local M = {}

---@class pointsman.Keys
---@field accept string|false
---@field accept_word string|false
---@field accept_line string|false
---@field next string|false
---@field previous string|false
---@field dismiss string|false

---@class pointsman.Config
---@field cmd string[] the server, as an argument list
---@field root_markers string[] what marks the root of a workspace
---@field filetypes string[]|nil only these; nil for every file
---@field exclude_filetypes string[] never these
---@field suggest boolean whether ghost text is on at the start
---@field keys pointsman.Keys|false insert-mode mappings; false maps nothing
---@field chat { position: 'right'|'left'|'below', size: integer }
---@field init_options table sent with `initialize`
local defaults = {
  cmd = { 'pointsman', 'serve' },
  root_markers = { '.pointsman', '.git', '.hg', '.jj' },
  filetypes = nil,
  exclude_filetypes = { 'gitcommit', 'gitrebase', 'help', 'netrw', 'qf' },
  suggest = true,
  keys = {
    accept = '<Tab>',
    accept_word = '<M-w>',
    accept_line = '<M-l>',
    next = '<M-n>',
    previous = '<M-p>',
    dismiss = '<C-]>',
  },
  chat = { position = 'right', size = 72 },
  init_options = {},
}

---@type pointsman.Config
M.current = vim.deepcopy(defaults)

---@return boolean
local function is_list_of_strings(value)
  return type(value) == 'table'
    and vim.islist(value)
    and vim.iter(value):all(function(each)
      return type(each) == 'string'
    end)
end

---@return string[] what is wrong, in words
local function faults(config)
  local found = {}
  local function check(name, value, wanted, ok)
    if not ok then
      found[#found + 1] = ('%s is %s, but must be %s'):format(name, vim.inspect(value), wanted)
    end
  end
  check('cmd', config.cmd, 'a list of strings', is_list_of_strings(config.cmd) and #config.cmd > 0)
  for _, name in ipairs({ 'root_markers', 'exclude_filetypes' }) do
    check(name, config[name], 'a list of strings', is_list_of_strings(config[name]))
  end
  local only = config.filetypes
  check('filetypes', only, 'a list of strings, or nil', only == nil or is_list_of_strings(only))
  check('suggest', config.suggest, 'true or false', type(config.suggest) == 'boolean')
  check('keys', config.keys, 'a table or false', type(config.keys) == 'table' or config.keys == false)
  check('chat', config.chat, 'a table', type(config.chat) == 'table')
  for name, key in pairs(config.keys or {}) do
    check('keys.' .. name, key, 'a key or false', type(key) == 'string' or key == false)
    check('keys.' .. name, key, 'one of those in :help pointsman-keys', defaults.keys[name] ~= nil)
  end
  for name, value in pairs(config) do
    check(name, value, 'one of those in :help pointsman-config', defaults[name] ~= nil or name == 'filetypes')
  end
  return found
end

--- The server's program with other words of its command line: `cmd` up to `serve`, then `words`.
---@param words string[]
---@return string[]
function M.command(words)
  local found = {}
  for index, word in ipairs(M.current.cmd) do
    if index > 1 and word == 'serve' then
      break
    end
    found[index] = word
  end
  return vim.list_extend(found, words)
end

--- Merge `options` over the defaults. Returns what is wrong with them; then nothing was taken.
---@param options table|nil
---@return string[]
function M.set(options)
  local merged = vim.tbl_deep_extend('force', vim.deepcopy(defaults), options or {})
  local found = faults(merged)
  if #found == 0 then
    M.current = merged
  end
  return found
end

return M
