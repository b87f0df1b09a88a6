#ifndef CONVERGENCE_LIB_DRIVER_GATHER_H_
#define CONVERGENCE_LIB_DRIVER_GATHER_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"

namespace convergence {

// Reads under way at once: enough to hide the round trips, few enough that a server is not asked for a fleet at a time.
inline constexpr std::size_t kReadsAtOnce = 16;

// Asynchronous calls of which at most so many are under way; done() runs once, when all have ended or the first has
// failed. What ends after that is ignored.
class Gather : public std::enable_shared_from_this<Gather> {
 public:
  using Done = std::function<void(absl::Status)>;
  using Call = std::function<void(Done)>;

  explicit Gather(std::size_t at_once = kReadsAtOnce) : at_once_(at_once) {}

  // Calls may add further ones while they run; after a failure these are dropped, for nobody would ever start them.
  void add(Call call) {
    if (!failed_) waiting_.push_back(std::move(call));
  }
  void run(Done done);

 private:
  void start_more();
  void ended(const absl::Status& status);

  const std::size_t at_once_;
  std::size_t running_ = 0;
  bool starting_ = false;
  bool failed_ = false;
  std::deque<Call> waiting_;
  Done done_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_DRIVER_GATHER_H_
