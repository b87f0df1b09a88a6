#include <string>
#include <utility>

#include "absl/strings/cord.h"
#include "convergence/error.h"

namespace convergence {

Json error_detail(const absl::Status& status) {
  const auto payload = status.GetPayload("convergence/detail");
  if (payload) {
    absl::StatusOr<Json> detail = parse_json(std::string(*payload), "error detail");
    if (detail.ok()) return *std::move(detail);
  }
  return Json(Json::Object{});
}

}  // namespace convergence
