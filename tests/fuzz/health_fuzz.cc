// An answer that may be one of Consul's: what is read of it is what the strict reader reads, its errors included. The
// first byte chooses the kind of answer.
#include "tests/fuzz/fuzz.h"
#include "tests/support/fleet_check.h"

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace convergence;        // NOLINT: this function has C linkage
  using namespace convergence::test;  // NOLINT
  if (size == 0) return 0;
  static const FleetView existing = [] {
    FleetView view;
    must(read_health(R"([{"Node":{"Node":"n"},"Service":{"ID":"s","Service":"s"}}])", "answer", view).ok(), "begin");
    return view;
  }();
  const std::string answer(text_of(data + 1, size - 1));
  const std::string difference =
      data[0] % 2 == 0 ? health_difference(answer, existing) : agent_services_difference(answer, existing);
  must(difference.empty(), "scanner and strict reader agree", difference);
  return 0;
}
