#include <doctest/doctest.h>
#include <poll.h>

#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "convergence/node.h"
#include "convergence/node_process.h"
#include "tests/unit/node/process_support.h"

namespace convergence {
namespace {

void wait_for_stop(const StopSignal& stop) {
  pollfd watched{stop.descriptor(), POLLIN, 0};
  while (poll(&watched, 1, -1) != 1) {
  }
}

struct WorkerBench {
  std::unique_ptr<Executor> executor = new_thread_executor();
  std::atomic<std::size_t> count{0};
  std::vector<std::string> done;  // on the executor

  NodeWorker::WorkId submit(NodeWorker& worker, const std::string& name,
                            std::function<absl::Status(const StopSignal&)> work) {
    return worker.submit(std::move(work), [this, name](const absl::Status& status) {
      done.push_back(name + " " + error_code_name(status));
      ++count;
    });
  }
  void wait_for(std::size_t completions) {
    REQUIRE_OK(executor->wait_until([&] { return count >= completions; }, kNever));
  }
};

TEST_CASE("works run one after the other, and each completes once on the executor") {
  WorkerBench bench;
  NodeWorker worker(*bench.executor);
  std::atomic<int> at_once{0};
  for (const char* name : {"a", "b", "c"}) {
    bench.submit(worker, name, [&](const StopSignal&) {
      CHECK(++at_once == 1);
      --at_once;
      return absl::OkStatus();
    });
  }
  bench.wait_for(3);
  CHECK(bench.done == std::vector<std::string>{"a OK", "b OK", "c OK"});
}

TEST_CASE("a work's value goes to its completion") {
  WorkerBench bench;
  NodeWorker worker(*bench.executor);
  std::unique_ptr<int> got;
  worker.submit<std::unique_ptr<int>>([](const StopSignal&) { return std::make_unique<int>(7); },
                                      [&](absl::StatusOr<std::unique_ptr<int>> value) {
                                        got = *std::move(value);
                                        ++bench.count;
                                      });
  bench.wait_for(1);
  CHECK(*got == 7);
}

TEST_CASE("a work that runs is stopped, one that waits is cancelled, the next ones run") {
  WorkerBench bench;
  NodeWorker worker(*bench.executor);
  std::latch running(1);
  const auto first = bench.submit(worker, "first", [&](const StopSignal& stop) {
    running.count_down();
    wait_for_stop(stop);
    return absl::OkStatus();  // it had just succeeded
  });
  const auto second = bench.submit(worker, "second", [](const StopSignal&) { return absl::InternalError("ran"); });
  bench.submit(worker, "third", [](const StopSignal& stop) {
    return stop.is_set() ? absl::InternalError("a signal of another's") : absl::OkStatus();
  });
  running.wait();
  worker.stop(second);
  worker.stop(second);
  worker.stop(12345);
  worker.stop(first);
  bench.wait_for(3);
  worker.stop(first);
  CHECK(bench.done == std::vector<std::string>{"second CANCELLED", "first OK", "third OK"});
}

TEST_CASE("the end of a worker stops what runs and completes the rest") {
  WorkerBench bench;
  {
    NodeWorker worker(*bench.executor);
    std::latch running(1);
    bench.submit(worker, "runs", [&](const StopSignal& stop) {
      running.count_down();
      wait_for_stop(stop);
      return absl::CancelledError("");
    });
    bench.submit(worker, "waits", [](const StopSignal&) { return absl::InternalError("ran"); });
    bench.submit(worker, "waits too", [](const StopSignal&) { return absl::InternalError("ran"); });
    running.wait();
  }
  bench.wait_for(3);
  CHECK(bench.done == std::vector<std::string>{"runs CANCELLED", "waits CANCELLED", "waits too CANCELLED"});
}

TEST_CASE("a completion may submit the next work") {
  WorkerBench bench;
  NodeWorker worker(*bench.executor);
  worker.submit(
      [](const StopSignal&) { return absl::OkStatus(); },
      [&](const absl::Status&) { bench.submit(worker, "next", [](const StopSignal&) { return absl::OkStatus(); }); });
  bench.wait_for(1);
  CHECK(bench.done == std::vector<std::string>{"next OK"});
}

TEST_CASE("the end of a worker ends the program that it runs") {
  WorkerBench bench;
  const ProcessSpec spec = test::shell("echo ready; sleep 1000");
  ProcessEnd end = ProcessEnd::kExited;
  {
    NodeWorker worker(*bench.executor);
    std::latch ready(1);
    worker.submit<ProcessResult>(
        [&](const StopSignal& stop) {
          return run_process(
              spec, [&](std::string_view) { ready.count_down(); }, stop);
        },
        [&](absl::StatusOr<ProcessResult> result) {
          end = result->end;
          ++bench.count;
        });
    ready.wait();
  }
  bench.wait_for(1);
  CHECK(end == ProcessEnd::kStopped);
  CHECK(test::processes_of(spec) == 0);
}

}  // namespace
}  // namespace convergence
