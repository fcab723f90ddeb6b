--- The receipts of what left this machine, by the command line.
local M = {}

--- Run `pointsman audit` and hand over how it ended.
---@param arguments string[]
---@param take fun(done: vim.SystemCompleted)
local function run(arguments, take)
  local words = require('pointsman.config').command({ 'audit' })
  local ok, fault = pcall(vim.system, vim.list_extend(words, arguments), { text = true }, vim.schedule_wrap(take))
  if not ok then
    vim.notify('Pointsman: ' .. tostring(fault), vim.log.levels.ERROR)
  end
end

---@param arguments string[] of `pointsman audit`; none lists the records
function M.show(arguments)
  run(#arguments > 0 and arguments or { 'list' }, function(done)
    local text, problem = vim.trim(done.stdout or ''), vim.trim(done.stderr or '')
    if done.code ~= 0 then -- of a damaged log there may be records all the same
      problem = problem ~= '' and problem or ('pointsman audit ended with %d'):format(done.code)
      vim.notify(problem, vim.log.levels.ERROR)
    else
      text = vim.trim(text .. '\n' .. problem)
    end
    if text ~= '' then
      require('pointsman.window').split(vim.split(text, '\n', { plain = true }), 'audit')
    end
  end)
end

--- What was sent between two moments: a request that was stopped brings no receipt.
---@param since string a moment of UTC, as the log writes it
---@param till string the same
---@param take fun(sent: { id: string, endpoint: string, body_bytes: integer }[]) not called when the log cannot be read
function M.sent_between(since, till, take)
  run({ 'list', '-n', '20', '--json' }, function(done)
    local ok, found = pcall(vim.json.decode, done.stdout or '')
    if ok then -- whatever the code: a damaged log has records all the same
      take(vim.tbl_filter(function(record)
        return record.kind == 'intent' and record.time >= since and record.time <= till
      end, found.records))
    end
  end)
end

--- Now, for `sent_between`.
---@return string
function M.now()
  local seconds, micros = vim.uv.gettimeofday()
  return ('%s.%03d'):format(os.date('!%Y-%m-%dT%H:%M:%S', seconds), math.floor(micros / 1000))
end

return M
