#ifndef CONVERGENCE_LIB_CLIENT_TARGET_H_
#define CONVERGENCE_LIB_CLIENT_TARGET_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "convergence/consul_client.h"

namespace convergence {

// Path and query of a request, percent-encoded. What cannot be named by a path leaves `problem`, and nothing is sent.
class Target {
 public:
  // `path` is taken as it stands.
  explicit Target(std::string_view path) : text_(path) {}

  // "/<name>", its slashes encoded. Empty, "." and ".." are problems: the server would hear another path.
  Target& name(std::string_view name);
  // "/<key>", its slashes kept. Consul answers keys with an empty, "." or ".." segment with a redirect to another key.
  Target& key(std::string_view key);
  // As key(), but may be empty.
  Target& prefix(std::string_view prefix);

  Target& query(std::string_view name, std::string_view value);
  Target& query(std::string_view name, std::uint64_t value);
  // Left out when `value` is empty.
  Target& query_unless_empty(std::string_view name, std::string_view value);
  Target& options(const ReadOptions& options);
  Target& options(const WriteOptions& options);

  const std::string& text() const { return text_; }
  const absl::Status& problem() const { return problem_; }

 private:
  void refuse(std::string_view name, std::string_view why);

  std::string text_;
  bool has_query_ = false;
  absl::Status problem_;
};

}  // namespace convergence

#endif  // CONVERGENCE_LIB_CLIENT_TARGET_H_
