// An answer that may be one of Consul's: what is read of it is what the strict reader reads, its errors included. The
// first byte chooses the kind of answer; two health answers that follow one another have a zero byte between them.
#include "tests/fuzz/fuzz.h"
#include "tests/support/fleet_check.h"

namespace convergence::test {
namespace {

const FleetView& existing() {
  static const FleetView made = [] {
    FleetView view;
    must(read_health(R"([{"Node":{"Node":"n"},"Service":{"ID":"s","Service":"s"}}])", "answer", view).ok(), "begin");
    return view;
  }();
  return made;
}

std::string difference(unsigned kind, const std::string& answer) {
  switch (kind) {
    case 0:
      return health_difference(answer, existing());
    case 1:
      return agent_services_difference(answer, existing());
    case 2:
      return kv_difference(answer);
    default:
      const std::size_t zero = answer.find('\0');
      if (zero == std::string::npos) return "";
      return next_health_difference(answer.substr(0, zero), answer.substr(zero + 1));
  }
}

}  // namespace
}  // namespace convergence::test

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convergence::test;  // NOLINT: this function has C linkage
  if (size == 0) return 0;
  const std::string found = difference(data[0] % 4, std::string(text_of(data + 1, size - 1)));
  must(found.empty(), "scanner and strict reader agree", found);
  return 0;
}
