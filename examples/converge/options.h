#ifndef CONVERGENCE_EXAMPLES_CONVERGE_OPTIONS_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_OPTIONS_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/curl_transport.h"
#include "convergence/driver.h"

namespace cli {

// A flag may be written -name or --name, its value after = or as the next word, as the consul command takes them.
struct Flag {
  std::string_view name;
  bool takes_value = false;
  std::string_view help;
  bool repeats = false;
};

// Flags that every command takes.
const std::vector<Flag>& common_flags();

// The words of a command line, sorted out.
struct Arguments {
  std::map<std::string, std::string, std::less<>> flags{};  // by name; "" for those without value
  std::vector<std::pair<std::string, std::string>> repeated{};
  std::vector<std::string> words{};

  bool has(std::string_view name) const { return flags.find(name) != flags.end(); }
  std::string get(std::string_view name, std::string_view otherwise = "") const;
  // Every value of a flag that repeats, in their order.
  std::vector<std::string> all(std::string_view name) const;
};

// INVALID_ARGUMENT naming the word that is wrong.
absl::StatusOr<Arguments> parse_arguments(const std::vector<std::string>& words, const std::vector<Flag>& flags);

// "10s", "500ms", ...; INVALID_ARGUMENT naming the flag.
absl::StatusOr<std::optional<convergence::Duration>> duration_flag(const Arguments& arguments, std::string_view name);
absl::StatusOr<std::optional<long>> integer_flag(const Arguments& arguments, std::string_view name, long low,
                                                 long high);

// How to reach Consul: flags over Consul's own environment variables over its defaults.
using Environment = std::function<const char*(const char* name)>;
absl::StatusOr<convergence::CurlOptions> connection_options(const Arguments& arguments, const Environment& environment);
convergence::ReadOptions read_options(const Arguments& arguments, const Environment& environment);

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_OPTIONS_H_
