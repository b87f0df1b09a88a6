#include <doctest/doctest.h>
#include <poll.h>

#include <thread>

#include "convergence/node.h"

namespace convergence {
namespace {

TEST_CASE("a stop signal is readable from the moment that another thread sets it, and stays so") {
  StopSignal stop;
  pollfd watched{stop.descriptor(), POLLIN, 0};
  CHECK_FALSE(stop.is_set());
  CHECK(poll(&watched, 1, 0) == 0);

  std::thread other([&] { stop.set(); });
  CHECK(poll(&watched, 1, -1) == 1);
  other.join();
  CHECK(stop.is_set());
  stop.set();
  CHECK(poll(&watched, 1, 0) == 1);
}

}  // namespace
}  // namespace convergence
