#include "lib/driver/gather.h"

#include <vector>

#include "tests/support/status_check.h"

namespace convergence {
namespace {

// Calls that end when told.
struct Bench {
  std::vector<Gather::Done> open;
  std::vector<absl::Status> ended;
  std::shared_ptr<Gather> gather = std::make_shared<Gather>(3);

  void add() {
    gather->add([this](Gather::Done done) { open.push_back(std::move(done)); });
  }
  void run() {
    gather->run([this](absl::Status status) { ended.push_back(std::move(status)); });
  }
};

TEST_CASE("never more under way than allowed, and done once all have ended") {
  Bench bench;
  for (int i = 0; i < 5; ++i) bench.add();
  bench.run();
  CHECK(bench.open.size() == 3);
  bench.open[1](absl::OkStatus());
  CHECK(bench.open.size() == 4);
  for (int i : {0, 2, 3}) bench.open[static_cast<std::size_t>(i)](absl::OkStatus());
  CHECK(bench.open.size() == 5);
  CHECK(bench.ended.empty());
  bench.open[4](absl::OkStatus());
  REQUIRE(bench.ended.size() == 1);
  CHECK_OK(bench.ended[0]);
}

TEST_CASE("nothing to do is done at once") {
  Bench bench;
  bench.run();
  REQUIRE(bench.ended.size() == 1);
  CHECK_OK(bench.ended[0]);
}

TEST_CASE("the first failure ends it; what ends later is ignored") {
  Bench bench;
  for (int i = 0; i < 9; ++i) bench.add();
  bench.run();
  bench.open[0](absl::OkStatus());
  bench.open[1](make_error(ErrorKind::kUnreachable, "no connection"));
  bench.open[2](make_error(ErrorKind::kDenied, "later"));
  bench.open[3](absl::OkStatus());
  CHECK(bench.open.size() == 4);
  REQUIRE(bench.ended.size() == 1);
  CHECK_ERROR(bench.ended[0], ErrorKind::kUnreachable, "no connection");
}

// A call that holds the gather, as reads do, would keep it alive for ever.
TEST_CASE("what is added after a failure is let go of") {
  Bench bench;
  bench.add();
  bench.add();
  bench.run();
  bench.open[0](make_error(ErrorKind::kUnreachable, "no connection"));
  bench.gather->add([gather = bench.gather](Gather::Done) {});
  bench.open.clear();  // what is under way holds it, nothing else may
  CHECK(bench.gather.use_count() == 1);
}

TEST_CASE("calls that end at once neither recurse nor get lost, and may add others") {
  int calls = 0;
  int ends = 0;
  auto gather = std::make_shared<Gather>(2);
  gather->add([&](Gather::Done done) {
    ++calls;
    for (int i = 0; i < 100000; ++i) {
      gather->add([&](Gather::Done inner) {
        ++calls;
        inner(absl::OkStatus());
      });
    }
    done(absl::OkStatus());
  });
  gather->run([&](absl::Status status) {
    CHECK_OK(status);
    ++ends;
  });
  CHECK(calls == 100001);
  CHECK(ends == 1);
}

}  // namespace
}  // namespace convergence
