--- Questions and their answers: one conversation for the session.
local window = require('pointsman.chat_window')

local M = {}

local TURNS = 4 -- that the server is told of
local TOKEN = 'pointsman-ask-'

---@type pointsman.Turn[]
local turns = {}
local drafts = {} ---@type table<string, pointsman.Turn> by progress token
local running ---@type { client: table, id: integer, turn: pointsman.Turn, token: string, since: string }|nil
local drawing = false

--- Draw soon, once for many deltas.
local function redraw()
  if not drawing then
    drawing = true
    vim.defer_fn(function()
      drawing = false
      window.draw(turns)
    end, 40)
  end
end

--- A part of a draft. False when the token is none of ours.
function M.delta(token, value)
  local turn = drafts[token]
  if not turn then
    return vim.startswith(tostring(token), TOKEN) -- of one that was stopped
  end
  if type(value) == 'table' and type(value.delta) == 'string' then
    turn.draft = turn.draft .. value.delta
    redraw()
  end
  return true
end

--- What was said of a workspace: another one's policy has no say over it.
local function history(workspace)
  local told = {}
  for index = math.max(1, #turns - TURNS + 1), #turns do
    local turn = turns[index]
    if turn.answer and turn.workspace == workspace then
      told[#told + 1] = { role = 'user', text = turn.question }
      told[#told + 1] = { role = 'assistant', text = turn.answer.answer }
    end
  end
  return told
end

local function forget(turn)
  turns = vim.tbl_filter(function(each)
    return each ~= turn
  end, turns)
end

local function finish(turn, token)
  drafts[token] = nil
  if running and running.turn == turn then
    running = nil
  end
  window.draw(turns)
end

--- Ask about the code; `lines` are those that were selected, 1-based.
---@param question string
---@param lines { first: integer, last: integer }|nil
---@param again { bufnr: integer, approval: string|nil }|nil it was asked of this buffer before, and its body approved
function M.ask(question, lines, again)
  local client = require('pointsman.client')
  local bufnr = again and again.bufnr or vim.api.nvim_get_current_buf()
  local last = turns[#turns]
  if bufnr == window.buffer() and last and vim.api.nvim_buf_is_loaded(last.bufnr) then
    bufnr = last.bufnr -- asked from the chat: of the same project
  end
  local here = client.attached(bufnr)
  if lines and not here then
    vim.notify('Pointsman: no server runs for this buffer, so its lines are not read', vim.log.levels.WARN)
  end
  local asked = here or client.of(0)
  local workspace = asked and asked.config.root_dir
  local token, since = ('%s%d'):format(TOKEN, vim.uv.hrtime()), require('pointsman.audit').now()
  local params = { question = question, history = history(workspace), partialResultToken = token }
  params.approvedSha256 = again and again.approval
  if here then
    params.textDocument = { uri = vim.uri_from_bufnr(bufnr) }
    if lines then
      params.range = {
        start = { line = lines.first - 1, character = 0 },
        ['end'] = { line = lines.last, character = 0 },
      }
    end
  end
  local turn = { question = question, draft = '', bufnr = bufnr, lines = lines, workspace = workspace }
  M.stop()
  window.open()
  M.map_keys()
  turns[#turns + 1] = turn
  drafts[token] = turn
  window.draw(turns)
  local id, by = client.ask('pointsman/ask', params, function(answer)
    if answer.answer == '' and (answer.preview_sha256 or '') ~= '' then
      turn.failed = 'nothing was sent'
      finish(turn, token)
      if not (again and again.approval) then
        require('pointsman.outgoing').ask(answer, function(yes)
          if yes then
            forget(turn)
            M.ask(question, lines, { bufnr = bufnr, approval = answer.preview_sha256 })
          end
        end)
      end
      return
    end
    turn.answer, turn.root = answer, vim.uri_to_fname(answer.root)
    finish(turn, token)
    local found = require('pointsman.citations').list(question, turn.root, answer.citations)
    if found > 0 then
      vim.notify(('Pointsman: %d places in the quickfix list (:copen, :cc 1)'):format(found))
    end
  end, asked and bufnr, function(message)
    turn.failed = turn.failed or message
    finish(turn, token)
  end)
  running = id and { client = by, id = id, turn = turn, token = token, since = since } or nil
end

--- What had left for a question before it was stopped.
local function tell_sent(turn, since)
  local audit = require('pointsman.audit')
  audit.sent_between(since, audit.now(), function(sent)
    for _, one in ipairs(sent) do
      local words = '%s; meanwhile %d bytes left for %s, receipt %s'
      turn.failed = words:format(turn.failed, one.body_bytes, one.endpoint, one.id)
    end
    window.draw(turns)
  end)
end

--- Stop the answer that is being written.
function M.stop()
  local stopped = running
  if stopped then
    running, drafts[stopped.token] = nil, nil
    stopped.turn.failed = 'stopped'
    require('pointsman.client').cancel(stopped.client, stopped.id, function()
      tell_sent(stopped.turn, stopped.since)
    end)
    window.draw(turns)
  end
end

--- Open the citation under the cursor of the chat.
function M.follow()
  local cursor = vim.api.nvim_win_get_cursor(0)
  local turn, citation = window.at(turns, cursor[1], cursor[2] + 1)
  if turn and citation then
    require('pointsman.citations').open(turn.root, citation)
  end
end

--- Ask the last question again.
function M.again()
  local last = turns[#turns]
  if last then
    M.stop()
    forget(last)
    local there = vim.api.nvim_buf_is_loaded(last.bufnr)
    M.ask(last.question, there and last.lines or nil, there and { bufnr = last.bufnr } or nil)
  end
end

--- Forget the conversation.
function M.clear()
  M.stop()
  turns = {}
  window.draw(turns)
end

--- Show the conversation again, and go there.
function M.show()
  if #turns == 0 then
    vim.notify('Pointsman: nothing was asked yet; :Pointsman ask asks')
    return
  end
  window.open()
  M.map_keys()
  window.draw(turns)
  vim.api.nvim_set_current_win(vim.fn.bufwinid(window.buffer()))
end

--- Ask for the question first.
---@param lines { first: integer, last: integer }|nil
function M.prompt(lines)
  vim.ui.input({ prompt = 'Ask about the code: ' }, function(question)
    if question and vim.trim(question) ~= '' then
      M.ask(question, lines)
    end
  end)
end

function M.map_keys()
  local function map(key, action, what)
    vim.keymap.set('n', key, action, { buffer = window.buffer(), nowait = true, desc = 'Pointsman: ' .. what })
  end
  map('<CR>', M.follow, 'open the citation')
  map('a', M.prompt, 'ask')
  map('r', M.again, 'ask again')
  map('s', M.stop, 'stop')
  map('X', M.clear, 'forget the conversation')
  map('q', '<Cmd>close<CR>', 'close')
end

return M
