// An expression on rows of one kind: what is refused is refused in order, and values and JSON are selected alike. The
// first byte chooses the kind.
#include <vector>

#include "convergence/error.h"
#include "convergence/filter.h"
#include "lib/base/utf8.h"
#include "tests/fuzz/fuzz.h"
#include "tests/support/filter_generator.h"
#include "tests/support/health_rows.h"

namespace convergence::test {
namespace {

const std::vector<Json>& rows() {
  static const std::vector<Json> made = [] {
    FilterGenerator generator(1);
    std::vector<Json> out;
    for (int i = 0; i < 8; ++i) out.push_back(generator.health_row(i));
    return out;
  }();
  return made;
}

void check_refusal(const absl::Status& status, std::string_view expression) {
  must(error_kind(status) == ErrorKind::kFilter, "kind");
  must(!invalid_utf8(std::string(status.message())), "complaints are text");
  const Json detail = error_detail(status);
  must(detail.find("offset")->to_uint64().value() <= expression.size(), "offset", to_text(detail));
}

const Json& part(const Json& health_row, RowKind kind) {
  if (kind == RowKind::kNode) return *health_row.find("Node");
  if (kind == RowKind::kService) return *health_row.find("Service");
  return health_row;  // of other kinds: rows in which nothing is
}

}  // namespace
}  // namespace convergence::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convergence;        // NOLINT: this function has C linkage
  using namespace convergence::test;  // NOLINT
  if (size == 0) return 0;
  const auto kind = static_cast<RowKind>(data[0] % 5);
  const std::string_view expression = text_of(data + 1, size - 1);
  const auto filter = Filter::parse(expression, kind);
  if (!filter.ok()) {
    check_refusal(filter.status(), expression);
    return 0;
  }
  if (!filter->check().ok()) check_refusal(filter->check(), expression);
  for (const Json& row : rows()) {
    const auto of_json = filter->matches(part(row, kind));
    must(of_json.status() == filter->check(), "refused for all rows or for none");
    if (kind != RowKind::kHealth) continue;
    const HealthRow values = health_row_from(row);
    must(filter->matches(values.instance, values.node) == of_json, "values and JSON", to_text(row));
  }
  return 0;
}
