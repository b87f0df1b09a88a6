#include <string>
#include <utility>
#include <vector>

#include "convergence/codec.h"
#include "convergence/slices.h"
#include "lib/codec/object_writer.h"

namespace convergence {
namespace codec {
namespace {

// Of kNone nothing.
std::string slice_text(Slice slice) { return slice == Slice::kNone ? "" : std::string(to_string(slice)); }

Json live_json(const LiveSlice& live) {
  ObjectWriter writer;
  writer.put("slice", to_string(live.slice))
      .put_if("before", slice_text(live.before))
      .put_if("by", live.by)
      .put_if("in_the_way", live.in_the_way)
      .put_if("index", live.entry_index);
  if (live.at != Time()) writer.put("at", encode(live.at));
  return writer.take();
}

Json problems_json(const std::vector<SwitchProblem>& problems) {
  Json::Array list;
  for (const SwitchProblem& problem : problems) {
    list.push_back(ObjectWriter()
                       .put("kind", to_string(problem.kind))
                       .put_if("node", problem.node)
                       .put("why", problem.why)
                       .take());
  }
  return list;
}

}  // namespace
}  // namespace codec

Json to_json(const SwitchPlan& plan) {
  return codec::ObjectWriter()
      .put("service", plan.live.service)
      .put("live", codec::live_json(plan.live))
      .put("to", to_string(plan.to))
      .put_if("version", plan.version)
      .put("wanted", std::uint64_t{plan.wanted})
      .put("passing", std::uint64_t{plan.passing})
      .put("problems", codec::problems_json(plan.problems))
      .put("set_aside", codec::problems_json(plan.set_aside))
      .put("plan", to_json(plan.plan))
      .take();
}

Json to_json(const Upstream& upstream) {
  Json::Array active;
  for (const Slice slice : upstream.active) active.push_back(Json(to_string(slice)));
  Json::Array hosts;
  for (const UpstreamHost& host : upstream.hosts) {
    hosts.push_back(codec::ObjectWriter()
                        .put("node", host.node)
                        .put("service_id", host.service_id)
                        .put("address", host.address)
                        .put("port", host.port)
                        .put("slice", to_string(host.slice))
                        .put_if("version", host.version)
                        .put("status", to_string(host.status))
                        .put("state", host.up ? "up" : "down")
                        .take());
  }
  return codec::ObjectWriter()
      .put("service", upstream.service)
      .put("configured", codec::live_json(upstream.configured))
      .put("active", Json(std::move(active)))
      .put("hosts", Json(std::move(hosts)))
      .take();
}

}  // namespace convergence
