--- `:Pointsman trust`: the user lets requests of this repository out, as far as policy does.
local M = {}

local ASKED = [[
Trust %s?
What your policy allows may then leave this machine from here. The rules in .pointsman are read as they are now;
they only take away, and a change of them ends the trust.]]

---@param argument table
---@param take fun(roots: string[])
local function send(argument, take)
  local request = { command = 'pointsman.trustWorkspace', arguments = { argument } }
  require('pointsman.client').ask('workspace/executeCommand', request, take)
end

--- Ask about what the server would trust, for that may be more than this window's folder: repositories inside of it.
function M.ask()
  send({ preview = true }, function(roots)
    if #roots == 0 then
      vim.notify('Pointsman: no folder to trust; open a file of a repository', vim.log.levels.ERROR)
      return
    end
    require('pointsman.attention').free(function()
      if vim.fn.confirm(ASKED:format(table.concat(roots, ', ')), '&Trust\n&Cancel', 2) == 1 then
        send({ roots = roots }, function(trusted)
          vim.notify('Pointsman: trusted ' .. table.concat(trusted, ', '))
        end)
      end
    end, 'a question')
  end)
end

return M
