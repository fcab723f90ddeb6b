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
---@field chat { position: 'right'|'left'|'below', size: integer|nil } nil for a size that fits the position
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
  chat = { position = 'right' },
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
  local function known(name, options, names)
    for option, value in pairs(options) do
      local ok = vim.tbl_contains(names, option)
      check(name .. option, value, 'one of those in :help pointsman-config', ok)
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
  for name, key in pairs(type(config.keys) == 'table' and config.keys or {}) do
    check('keys.' .. name, key, 'a key or false', type(key) == 'string' and key ~= '' or key == false)
    check('keys.' .. name, key, 'one of those in :help pointsman-keys', defaults.keys[name] ~= nil)
  end
  local chat = config.chat
  check('chat', chat, 'a table', type(chat) == 'table')
  if type(chat) == 'table' then
    local positions, size = { 'right', 'left', 'below' }, chat.size
    check('chat.position', chat.position, 'right, left or below', vim.tbl_contains(positions, chat.position))
    local whole = type(size) == 'number' and size >= 1 and size % 1 == 0
    check('chat.size', size, 'a number of columns or lines, or nil', size == nil or whole)
    known('chat.', chat, { 'position', 'size' })
  end
  check('init_options', config.init_options, 'a table', type(config.init_options) == 'table')
  known('', config, vim.list_extend({ 'filetypes' }, vim.tbl_keys(defaults)))
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

--- Merge `options` over the defaults. Returns what is wrong with them; then nothing was taken. A list that is given is
--- taken as it is, an empty one too.
---@param options table|nil
---@return string[]
function M.set(options)
  if options ~= nil and type(options) ~= 'table' then
    return { ('the options are %s, but must be a table'):format(vim.inspect(options)) }
  end
  local merged = vim.deepcopy(defaults)
  for name, value in pairs(options or {}) do
    local inner = (name == 'keys' or name == 'chat') and type(value) == 'table'
    merged[name] = inner and vim.tbl_extend('force', merged[name], value) or vim.deepcopy(value)
  end
  local found = faults(merged)
  if #found == 0 then
    M.current = merged
  end
  return found
end

return M
