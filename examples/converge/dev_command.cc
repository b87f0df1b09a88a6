#include <fmt/format.h>

#include "command.h"
#include "convergence/error.h"
#include "convergence/memory_consul.h"

namespace cli {

using namespace convergence;  // NOLINT: a program's own source

int run_dev(const Arguments& arguments, Output& output) {
  if (!arguments.words.empty()) {
    return output.fail(absl::InvalidArgumentError(arguments.words[0] + ": dev takes no words; see --help"), kBadInput);
  }
  absl::StatusOr<std::optional<long>> port = integer_flag(arguments, "port", 0, 65535);
  if (!port.ok()) return output.fail(port.status(), kBadInput);
  catch_stop_signals();
  std::unique_ptr<LoopExecutor> executor = new_loop_executor();
  MemoryConsul consul(*executor);
  absl::StatusOr<std::unique_ptr<HttpFace>> face =
      HttpFace::start(consul, static_cast<std::uint16_t>(port->value_or(8500)));
  if (!face.ok()) return output.fail(face.status(), kFailed);
  const std::string address = fmt::format("127.0.0.1:{}", (*face)->port());
  if (output.json()) {
    output.document(Json().set("address", address));
  } else {
    output.say(fmt::format("the embedded Consul answers at http://{}; nothing is kept when it ends", address));
  }
  while (!stop_requested()) executor->poll(std::chrono::seconds(1));
  return kDone;
}

}  // namespace cli
