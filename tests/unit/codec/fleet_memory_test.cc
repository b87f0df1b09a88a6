// What reading answers costs in memory: every allocation of the program is counted here.
#include <doctest/doctest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <new>
#include <string>

#include "convergence/fleet_view.h"
#include "tests/support/fleet_shapes.h"
#include "tests/support/status_check.h"

namespace convergence {
namespace {

struct Heap {
  std::size_t allocations = 0;
  std::size_t bytes = 0;
  std::size_t peak = 0;
};
Heap heap;

void* counted(std::size_t size) {
  void* const memory = std::malloc(size);
  if (!memory) throw std::bad_alloc();
  ++heap.allocations;
  heap.bytes += malloc_usable_size(memory);
  heap.peak = std::max(heap.peak, heap.bytes);
  return memory;
}

void uncounted(void* memory) {
  heap.bytes -= malloc_usable_size(memory);
  std::free(memory);
}

// What `work` asks for beyond what was there.
template <typename Work>
Heap cost_of(Work work) {
  const std::size_t before = heap.bytes;
  heap.allocations = 0;
  heap.peak = heap.bytes;
  work();
  return {heap.allocations, heap.bytes - before, heap.peak - before};
}

constexpr std::size_t kInstances = 10000;

TEST_CASE("a health answer costs no allocation an instance, and a fifth of its size at the most") {
  const std::string answer = test::health_json(kInstances, 0);
  FleetView view;
  const Heap cost = cost_of([&] { REQUIRE_OK(read_health(answer, "answer", view)); });
  REQUIRE(view.size() == kInstances);
  MESSAGE("allocations: ", cost.allocations, "; peak: ", cost.peak, " of ", answer.size(),
          " bytes; kept: ", static_cast<double>(cost.bytes) / kInstances, " bytes an instance");
  CHECK(cost.allocations < kInstances / 100);
  CHECK(cost.peak * 5 <= answer.size());
}

TEST_CASE("a fleet of ten services on each node keeps no more than 96 bytes an instance") {
  FleetView view;
  const Heap cost = cost_of([&] {
    for (std::uint64_t service = 0; service < 10; ++service) {
      const std::string answer = test::health_json(2000, service);
      REQUIRE_OK(read_health(answer, "answer", view));
    }
  });
  const double instances = static_cast<double>(view.size());
  const double rows = 5.0 * sizeof(NameId) + sizeof(OwnerAndStatus) + sizeof(std::uint64_t);
  CHECK(rows == 32);
  MESSAGE("kept: ", static_cast<double>(cost.bytes) / instances, " bytes an instance, ", rows, " of them rows, ",
          static_cast<double>(view.names.bytes_held()) / instances, " names");
  CHECK(static_cast<double>(cost.bytes) <= 96 * instances);
}

}  // namespace
}  // namespace convergence

void* operator new(std::size_t size) { return convergence::counted(size); }
void operator delete(void* memory) noexcept { convergence::uncounted(memory); }
void operator delete(void* memory, std::size_t) noexcept { convergence::uncounted(memory); }
