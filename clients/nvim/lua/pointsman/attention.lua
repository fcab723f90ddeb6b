--- When the user is free to be shown something that takes keys. An answer may come in the middle of a word, and what is
--- being typed then was meant for another window: neither a key nor text may be taken for a reply to it.
local M = {}

local TICK_MS = 50
local PAUSE_MS = 500 -- without a key, before another window comes up
local READ_MS = 300 -- without a key, before that window's keys work

--- Whether Normal mode waits for a command, and no window would be refused (as from the command-line window).
---@return boolean
local function free()
  local now = vim.api.nvim_get_mode()
  return (now.mode == 'n' or now.mode == 'nt') and not now.blocking and vim.fn.getcmdwintype() == ''
end

--- Call `act` once no key was typed for `ms` and `ready` says so.
---@param ms integer
---@param ready fun(): boolean
---@param act fun()
---@param late string|nil told when it takes longer than `ms`
local function quiet(ms, ready, act, late)
  local function now()
    return vim.uv.hrtime() / 1e6
  end
  local last, begun, sure = now(), now(), false
  local listener = vim.on_key(function(_, typed)
    if typed ~= '' then
      last = now()
    end
  end)
  local timer = assert(vim.uv.new_timer())
  timer:start(
    TICK_MS,
    TICK_MS,
    vim.schedule_wrap(function()
      if timer:is_closing() then
        return
      elseif now() - last < ms or not ready() then
        sure = false
        if late and now() - begun > ms + 2 * TICK_MS then
          vim.notify(late)
          late = nil
        end
      elseif not sure then
        sure = true -- a busy Neovim may have keys that it has not looked at: they come before the next tick
      else
        timer:close()
        vim.on_key(nil, listener)
        act()
      end
    end)
  )
end

--- Call `act`, which opens a window or asks, when the user has paused in Normal mode.
---@param act fun()
---@param what string that is ready, told when the user is busy
function M.free(act, what)
  quiet(PAUSE_MS, free, act, ('Pointsman: %s is ready; it opens when you pause in Normal mode'):format(what))
end

--- Call `act`, which lets keys do something, when what just came up can have been seen.
---@param act fun()
function M.seen(act)
  quiet(READ_MS, function()
    return true
  end, act)
end

return M
