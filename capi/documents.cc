#include "capi/documents.h"

#include "convergence/error.h"

namespace convergence::capi {

absl::Status shape_error(std::string_view name, std::string_view problem) {
  return make_error(ErrorKind::kDecode, std::string(name) + ": " + std::string(problem),
                    Json().set("document", name).set("pointer", "").set("offset", 0));
}

Json texts_json(const std::vector<std::string>& texts) { return Json::Array(texts.begin(), texts.end()); }

Json report_json(const std::vector<ImportRow>& report) {
  Json::Array rows;
  for (const ImportRow& row : report) rows.push_back(to_json(row));
  return rows;
}

}  // namespace convergence::capi
