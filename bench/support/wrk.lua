-- Sends the requests of a list at random. Arguments: the list, one request per line (path, value of Range or nothing,
-- value of If-None-Match or nothing, with tabs between), and a seed. A '#' in a path stands for a name that no other
-- request has. Requests without one are put together before the measurement, so that the client has little to do.
local requests = {}
local series
local made = 0

function init(args)
  math.randomseed(tonumber(args[2]))
  series = string.format("%d-%s-", os.time(), args[2])
  for line in io.lines(args[1]) do
    local path, range, match = line:match("^([^\t]*)\t?([^\t]*)\t?(.*)$")
    local headers = { Host = wrk.headers["Host"] or "127.0.0.1" }
    if range ~= "" then headers["Range"] = range end
    if match ~= "" then headers["If-None-Match"] = match end
    requests[#requests + 1] = path:find("#", 1, true) and { path = path, headers = headers } or wrk.format("GET", path, headers)
  end
end

function request()
  local request = requests[math.random(#requests)]
  if type(request) == "string" then return request end
  made = made + 1
  return wrk.format("GET", (request.path:gsub("#", series .. made)), request.headers)
end

function done(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    '{"requests":%d,"bytes":%.0f,"seconds":%.6f,"p50":%.6f,"p99":%.6f,"failed":%d}\n',
    summary.requests, summary.bytes, summary.duration / 1e6,
    latency:percentile(50) / 1e6, latency:percentile(99) / 1e6,
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
