#ifndef CONVERGENCE_EXAMPLES_CONVERGE_URL_H_
#define CONVERGENCE_EXAMPLES_CONVERGE_URL_H_

#include <optional>
#include <string>
#include <string_view>

namespace cli {

// "http://host:port/path" in two: what a transport is made for, and what it is asked.
struct Url {
  std::string address;
  std::string path;  // empty, or from its slash on
};

// Empty for what is neither http:// nor https://.
inline std::optional<Url> split_url(std::string_view text) {
  if (!text.starts_with("http://") && !text.starts_with("https://")) return std::nullopt;
  const std::size_t path = text.find('/', text.find("://") + 3);
  Url out;
  out.address = std::string(text.substr(0, path));
  if (path != std::string_view::npos) out.path = std::string(text.substr(path));
  return out;
}

}  // namespace cli

#endif  // CONVERGENCE_EXAMPLES_CONVERGE_URL_H_
