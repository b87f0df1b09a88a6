#include "tests/unit/chain/situations.h"

#include <utility>

#include "convergence/codec.h"
#include "lib/base/status_macros.h"
#include "tests/support/test_json.h"

namespace convergence::test {
namespace {

std::string text_of(const Json& json, std::string_view member) {
  const Json* found = json.find(member);
  return found == nullptr || found->as_string() == nullptr ? "" : *found->as_string();
}

}  // namespace

absl::StatusOr<ChainOverrides> overrides_from_json(const Json& json) {
  ChainOverrides out;
  out.protocol = text_of(json, "OverrideProtocol");
  if (const std::string timeout = text_of(json, "OverrideConnectTimeout"); !timeout.empty()) {
    CVG_ASSIGN_OR_RETURN(out.connect_timeout, duration_from_text(timeout));
  }
  if (const Json* gateway = json.find("OverrideMeshGateway")) out.mesh_gateway_mode = text_of(*gateway, "Mode");
  return out;
}

namespace {

absl::StatusOr<std::vector<Situation>> read_file(const std::string& path, Dialect dialect) {
  CVG_ASSIGN_OR_RETURN(const Json document, read_test_json(path));
  std::vector<Situation> out;
  for (const Json& json : *document.as_array()) {
    Situation one;
    one.name = text_of(json, "name");
    one.entries = *json.find("entries")->as_array();
    one.request.service = text_of(json, "service");
    one.request.cluster.dialect = dialect;
    one.request.evaluate_in_datacenter = text_of(json, "datacenter");
    if (const Json* overrides = json.find("overrides")) {
      one.overrides = *overrides;
      CVG_ASSIGN_OR_RETURN(one.request.overrides, overrides_from_json(*overrides));
    }
    if (const Json* chain = json.find("chain")) one.chain = *chain;
    one.error = text_of(json, "error");
    one.read_only = json.find("read_only") != nullptr;
    out.push_back(std::move(one));
  }
  return out;
}

}  // namespace

absl::StatusOr<std::vector<Situation>> read_situations() {
  return read_file("unit/chain/situations.json", Dialect::k1_8);
}

absl::StatusOr<std::vector<Situation>> read_current_situations() {
  return read_file("unit/chain/current_situations.json", Dialect::kCurrent);
}

}  // namespace convergence::test
