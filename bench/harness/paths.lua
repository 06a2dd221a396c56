-- Requests the paths that are given after "--", each in turn. Whole requests are made once, at start.
local requests, at = {}, 0

function init(args)
  for i = 1, #args do
    requests[i] = wrk.format(nil, args[i])
  end
end

function request()
  at = at % #requests + 1
  return requests[at]
end
