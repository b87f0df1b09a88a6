// The main job, told from an empty Consul to the end: on the embedded one with a simulated clock, or on a real one.

#include <fmt/format.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "convergence/curl_transport.h"
#include "convergence/error.h"
#include "convergence/memory_consul.h"
#include "convergence/testing/simulated_executor.h"
#include "page.h"
#include "story.h"

namespace demo {
namespace {

constexpr const char* kUsage =
    "usage: demo [--consul=ADDR] [--prefix=NAME] [--seed=N] [--page=FILE]\n"
    "  --consul=ADDR  a running Consul, e.g. 127.0.0.1:8500 (token from CONSUL_HTTP_TOKEN); without it the embedded\n"
    "                 one with a simulated clock\n"
    "  --prefix=NAME  begins every name that the demo makes; it refuses names that exist and removes what it made\n"
    "  --seed=N       of the made-up traffic (default 1)\n"
    "  --page=FILE    where the report goes (default convergence-demo.html)\n";

struct Options {
  std::optional<std::string> consul{};
  std::string prefix = fmt::format("demo-{}", getpid());
  std::uint64_t seed = 1;
  std::string page = "convergence-demo.html";
};

// The value of "--name=value", when `argument` is that option.
std::optional<std::string> value_of(std::string_view argument, std::string_view name) {
  const std::string start = fmt::format("--{}=", name);
  if (argument.substr(0, start.size()) != start || argument.size() == start.size()) return std::nullopt;
  return std::string(argument.substr(start.size()));
}

std::optional<Options> read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (auto consul = value_of(argument, "consul")) {
      options.consul = consul;
    } else if (auto prefix = value_of(argument, "prefix")) {
      options.prefix = *prefix;
    } else if (auto page = value_of(argument, "page")) {
      options.page = *page;
    } else if (auto seed = value_of(argument, "seed")) {
      char* end = nullptr;
      options.seed = std::strtoull(seed->c_str(), &end, 10);
      if (*end != '\0') return std::nullopt;
    } else {
      return std::nullopt;
    }
  }
  return options;
}

// A line that replaces itself on a terminal; elsewhere each stands for itself.
class Teleprinter {
 public:
  void say(const std::string& line) {
    if (open_) std::fputs("\r\033[K", stdout);
    open_ = false;
    std::printf("%s\n", line.c_str());
    std::fflush(stdout);
  }
  void progress(const std::string& line) {
    if (!terminal_) return say(line);
    std::printf("\r\033[K%s", line.c_str());
    std::fflush(stdout);
    open_ = true;
  }

 private:
  bool terminal_ = isatty(STDOUT_FILENO) != 0;
  bool open_ = false;
};

absl::StatusOr<Story> tell_on_embedded(Setting setting) {
  convergence::SimulatedExecutor executor;
  convergence::MemoryConsul consul(executor);
  convergence::ConsulClient client(executor, consul);
  setting.backend = "embedded Consul, simulated clock";
  setting.interval = std::chrono::seconds(10);
  setting.settle = std::chrono::seconds(2);
  return tell(client, setting);
}

absl::StatusOr<Story> tell_on_real(Setting setting, const std::string& address) {
  auto executor = convergence::new_loop_executor();
  convergence::CurlOptions options;
  options.address = address;
  if (const char* token = std::getenv("CONSUL_HTTP_TOKEN")) options.token = token;
  auto transport = convergence::new_curl_transport(*executor, options);
  if (!transport.ok()) return transport.status();
  convergence::ConsulClient client(*executor, **transport);
  setting.backend = "Consul at " + address;
  setting.interval = std::chrono::milliseconds(500);
  setting.settle = std::chrono::milliseconds(200);
  return tell(client, setting);
}

int run(const Options& options) {
  Teleprinter printer;
  Setting setting;
  setting.prefix = options.prefix;
  setting.seed = options.seed;
  setting.requests_per_interval = 2000;
  setting.say = [&](const std::string& line) { printer.say(line); };
  setting.progress = [&](const std::string& line) { printer.progress(line); };
  absl::StatusOr<Story> story = options.consul ? tell_on_real(setting, *options.consul) : tell_on_embedded(setting);
  if (!story.ok()) {
    std::fprintf(stderr, "demo: %s\n", std::string(story.status().message()).c_str());
    return 1;
  }
  std::ofstream file(options.page, std::ios::binary);
  file << page(*story);
  file.close();
  if (!file) {
    std::fprintf(stderr, "demo: %s: cannot be written\n", options.page.c_str());
    return 1;
  }
  printer.say("");
  for (const RolloutStory& rollout : story->rollouts) printer.say(rollout.title + ": " + rollout.outcome);
  printer.say("report: " + options.page);
  return 0;
}

}  // namespace
}  // namespace demo

int main(int argc, char** argv) {
  std::optional<demo::Options> options = demo::read_options(argc, argv);
  if (!options) {
    std::fputs(demo::kUsage, stderr);
    return 2;
  }
  return demo::run(*options);
}
