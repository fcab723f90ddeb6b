--- What would leave this machine, shown before it does.
local M = {}

---@param result table
---@param decide fun(yes: boolean)
local function show(result, decide)
  local where = ('%s at %s'):format(result.route.model, result.route.endpoint)
  local name = ('outgoing %s, %d values replaced'):format(result.preview_sha256:sub(1, 8), result.redactions or 0)
  local bufnr = require('pointsman.window').scratch(vim.split(result.preview, '\n', { plain = true }), 'json')
  pcall(vim.api.nvim_buf_set_name, bufnr, 'pointsman://' .. name)
  vim.cmd('tab split')
  vim.api.nvim_win_set_buf(0, bufnr)
  vim.wo[0].wrap, vim.wo[0].linebreak = true, false
  local words = (' :Send sends exactly this to %s; q sends nothing'):format(where)
  vim.wo[0].winbar = words:gsub('%%', '%%%%')
  local yes = false
  vim.api.nvim_buf_create_user_command(bufnr, 'Send', function()
    yes = true
    vim.cmd.bwipeout()
  end, { desc = 'Pointsman: send exactly this' })
  vim.keymap.set('n', 'q', '<Cmd>bwipeout<CR>', { buffer = bufnr, nowait = true, desc = 'Pointsman: send nothing' })
  vim.api.nvim_create_autocmd('BufWipeout', {
    buffer = bufnr,
    once = true,
    callback = function()
      vim.schedule(function()
        decide(yes)
      end)
    end,
  })
end

--- Show the body that would leave, as much of it as the screen holds, and wait for the user's word: a command, for a key
--- may have been typed for something else when the body comes.
---@param result table
---@param decide fun(yes: boolean) called once
function M.ask(result, decide)
  require('pointsman.attention').free(function()
    show(result, decide)
  end, 'what would leave')
end

return M
