--- Why there was this suggestion, or none: what each stage of the last one did.
local M = {}

local function lines_of(found)
  local lines = {
    ('line %d, column %d: %s'):format(
      found.line + 1,
      found.column + 1,
      found.reason or ('%d suggestion(s)'):format(found.items)
    ),
    'model ' .. found.model,
  }
  for _, stage in ipairs(found.stages) do
    lines[#lines + 1] = ('  %-10s %s (%.0f ms)'):format(stage.stage, stage.outcome, stage.ms)
  end
  local times = {}
  for name, ms in vim.spairs(found.timings_ms) do
    times[#times + 1] = ('%s %.0f'):format(name, ms)
  end
  lines[#lines + 1] = 'ms: ' .. table.concat(times, ', ')
  return lines
end

function M.show()
  local client = require('pointsman.client').of(0)
  local params = client and vim.lsp.util.make_position_params(0, client.offset_encoding) or vim.empty_dict()
  require('pointsman.client').ask('pointsman/explain', params, function(found)
    if found == nil then
      vim.notify('Pointsman: nothing was asked for in this file yet')
    else
      require('pointsman.window').float(lines_of(found), ' Why ')
    end
  end)
end

return M
