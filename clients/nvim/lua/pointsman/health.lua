--- `:checkhealth pointsman`
local M = {}

local health = vim.health

local function neovim()
  if vim.fn.has('nvim-0.12') == 1 then
    health.ok('Neovim ' .. tostring(vim.version()) .. ': native inline completion')
  elseif vim.fn.has('nvim-0.10') == 1 then
    health.ok('Neovim ' .. tostring(vim.version()) .. ': inline completion by extmarks; 0.12 has its own')
  else
    health.error('Neovim ' .. tostring(vim.version()) .. ' is too old', 'install 0.12, or 0.10 at least')
  end
end

---@return string|nil stdout
local function run(words)
  local ok, job = pcall(vim.system, words, { text = true, timeout = 60000 })
  local done = ok and job:wait() or nil
  return done and done.code == 0 and done.stdout or nil
end

---@return boolean
local function command()
  local cmd = require('pointsman.config').current.cmd
  if vim.fn.executable(cmd[1]) == 0 then
    health.error(cmd[1] .. ' is not on the PATH', {
      'install the server: pipx install dist/pointsman-*.whl, or see README.md',
      'or name it: require("pointsman").setup { cmd = { "/path/to/pointsman", "serve" } }',
    })
    return false
  end
  local version = run(require('pointsman.config').command({ '--version' }))
  health.ok(('%s, %s'):format(vim.fn.exepath(cmd[1]), version and vim.trim(version) or 'version unknown'))
  return true
end

local function doctor()
  local words = require('pointsman.config').command({ 'doctor', '--json' })
  local job = vim.system(words, { text = true, timeout = 60000 }):wait()
  local ok, found = pcall(vim.json.decode, job.stdout or '') -- it ends with 1 where it found a problem
  if not ok or type(found) ~= 'table' or not found.findings then
    local why = vim.trim(job.stderr or '')
    health.error('pointsman doctor gave no report' .. (why ~= '' and ': ' .. why or ''), 'run it in a terminal')
    return
  end
  for _, finding in ipairs(found.findings) do
    local text = ('%s: %s'):format(finding.check, finding.detail)
    if finding.state == 'problem' then
      health.error(text, finding.remedy)
    else
      health.ok(text)
    end
  end
end

local function attached()
  local clients = require('pointsman.client').all()
  if require('pointsman.client').starting() then
    health.info('a server is starting')
  elseif #clients == 0 then
    health.warn('no server runs in this session', 'call require("pointsman").setup {} and open a file')
  end
  for _, client in ipairs(clients) do
    local count = #vim.lsp.get_buffers_by_client_id(client.id)
    health.ok(('server %d, %d buffers, root %s'):format(client.id, count, client.config.root_dir or 'none'))
    if not client.server_capabilities.inlineCompletionProvider then
      health.error('the server offers no inline completion', 'update it')
    end
  end
end

local function others()
  for _, client in ipairs(vim.lsp.get_clients()) do
    if client.name ~= 'pointsman' and client.server_capabilities.inlineCompletionProvider then
      health.warn(client.name .. ' shows inline completions too', 'switch one of the two off')
    end
  end
  local keys = require('pointsman.config').current.keys
  for name, key in pairs(keys or {}) do
    local map = key and vim.fn.maparg(key, 'i', false, true) or {}
    if key and not (map.desc or ''):match('^Pointsman') then
      health.warn(('%s (%s) is mapped to something else'):format(key, name), 'choose another in setup { keys = … }')
    end
  end
end

function M.check()
  health.start('Neovim')
  neovim()
  health.start('Server')
  if command() then
    attached()
    others()
    health.start('pointsman doctor')
    doctor()
  end
end

return M
