--- `:Pointsman WORD …`: which module answers, and what can be typed next.
local M = {}

---@class pointsman.Words
---@field text string what follows the subcommand
---@field list string[] the same, split
---@field lines { first: integer, last: integer }|nil what was selected
---@field line integer the cursor's

local INSTRUCTIONS = { 'add a docstring', 'add type annotations', 'simplify' }

---@param together boolean with the files of the quickfix list
local function refactor(words, lines, together)
  if words.text == '' then
    require('pointsman.refactor').prompt(lines, together)
  else
    require('pointsman.refactor').run(words.text, lines, together)
  end
end

---@class pointsman.Subcommand
---@field run fun(words: pointsman.Words)
---@field then_ string[]|nil what completion offers
---@field free boolean|nil whether any words may follow; else one of `then_`, or none

---@type table<string, pointsman.Subcommand>
local subcommands = {
  ask = {
    free = true,
    run = function(words)
      local chat = require('pointsman.chat')
      if words.text == '' then
        chat.prompt(words.lines)
      else
        chat.ask(words.text, words.lines)
      end
    end,
  },
  chat = {
    run = function()
      require('pointsman.chat').show()
    end,
  },
  refactor = {
    free = true,
    run = function(words)
      refactor(words, words.lines or { first = words.line, last = words.line }, false)
    end,
    then_ = INSTRUCTIONS,
  },
  ['refactor!'] = {
    free = true,
    run = function(words)
      refactor(words, words.lines or { first = 1, last = vim.api.nvim_buf_line_count(0) }, true)
    end,
    then_ = INSTRUCTIONS,
  },
  docs = {
    run = function(words)
      require('pointsman.definition').run('docs', words.lines)
    end,
  },
  tests = {
    run = function(words)
      require('pointsman.definition').run('tests', words.lines)
    end,
  },
  explain = {
    free = true,
    run = function(words)
      if not words.lines and words.text ~= '' then
        local fault = 'Pointsman: explain takes a question only with lines; :Pointsman ask takes any'
        vim.notify(fault, vim.log.levels.ERROR)
      elseif words.lines then
        require('pointsman.chat').ask(words.text ~= '' and words.text or 'What does this code do?', words.lines)
      else
        require('pointsman.explain').show()
      end
    end,
  },
  status = {
    run = function()
      require('pointsman.status').show()
    end,
  },
  pause = {
    run = function(words)
      local what = words.list[1]
      local paused = require('pointsman.pause').toggle(what)
      local where = what == 'buffer' and ' in this buffer' or what == 'filetype' and ' for ' .. vim.bo.filetype or ''
      local still = not paused and require('pointsman.pause').paused(0) and '; it is paused more widely' or ''
      vim.notify(('Pointsman: ghost text is %s%s%s'):format(paused and 'paused' or 'on', where, still))
    end,
    then_ = { 'buffer', 'filetype' },
  },
  trust = {
    run = function()
      require('pointsman.trust').ask()
    end,
  },
  audit = {
    free = true, -- the server's program says what it does not know
    run = function(words)
      require('pointsman.audit').show(words.list)
    end,
    then_ = { 'list', 'show', 'verify' },
  },
}

--- What is wrong with the words that follow a subcommand, or nil.
---@param name string
---@param words string[]
---@return string|nil
local function fault_of(name, words)
  local subcommand = subcommands[name]
  local can = subcommand.then_ or {}
  if subcommand.free or #words == 0 or (#words == 1 and vim.tbl_contains(can, words[1])) then
    return nil
  end
  local after = #can > 0 and table.concat(can, ' or ') .. ' can, or nothing' or 'nothing can'
  return ('%s cannot stand after %s; %s'):format(table.concat(words, ' '), name, after)
end

---@param command table what nvim_create_user_command hands over
function M.run(command)
  local name = command.fargs[1] or 'status'
  local subcommand = subcommands[name]
  if not subcommand then
    local known = table.concat(vim.fn.sort(vim.tbl_keys(subcommands)), ', ')
    vim.notify(('Pointsman: no subcommand %s; there are %s'):format(name, known), vim.log.levels.ERROR)
    return
  end
  local following = vim.list_slice(command.fargs, 2)
  local fault = fault_of(name, following)
  if fault then
    vim.notify('Pointsman: ' .. fault, vim.log.levels.ERROR)
    return
  end
  subcommand.run({
    text = vim.trim((command.args:gsub('^%s*%S+', '', 1))),
    list = following,
    lines = command.range > 0 and { first = command.line1, last = command.line2 } or nil,
    line = vim.api.nvim_win_get_cursor(0)[1],
  })
end

---@return string[]
function M.complete(lead, line)
  local typed = line:match('Pointsman!?%s+(.*)$') or ''
  local name, rest = typed:match('^(%S+)%s+(.*)$')
  local words = name and (subcommands[name] and subcommands[name].then_ or {}) or vim.tbl_keys(subcommands)
  local wanted = name and rest or lead
  local found = vim.tbl_filter(function(word)
    return vim.startswith(word, wanted)
  end, words)
  table.sort(found)
  if name and lead ~= rest then -- only the last word is replaced
    found = vim.tbl_map(function(word)
      return word:sub(#rest - #lead + 1)
    end, found)
  end
  return found
end

return M
