#ifndef CONVERGENCE_LIB_NODE_SHA256_H_
#define CONVERGENCE_LIB_NODE_SHA256_H_

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "convergence/node.h"

namespace convergence {

// Of bytes as they come.
class Sha256 {
 public:
  Sha256();
  void add(std::string_view bytes);
  std::string hex();  // once, at the end; empty when OpenSSL refused

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
  bool good_ = false;
};

// From where it stands to its end.
absl::StatusOr<std::string> sha256_rest(int file, std::string_view path, const StopSignal& stop);
std::string sha256_text(std::string_view text);
bool is_sha256(std::string_view text);  // 64 digits of lower-case hex

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_SHA256_H_
