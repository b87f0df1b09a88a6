#include "lib/node/sha256.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <vector>

#include "convergence/error.h"
#include "convergence/node_files.h"
#include "lib/base/status_macros.h"
#include "lib/node/file_calls.h"

namespace convergence {

Sha256::Sha256() : context_(EVP_MD_CTX_new(), &EVP_MD_CTX_free) {
  good_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
}

void Sha256::add(std::string_view bytes) {
  good_ = good_ && EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1;
}

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  if (!good_ || EVP_DigestFinal_ex(context_.get(), digest, &size) != 1) return "";
  good_ = false;
  std::string text;
  for (unsigned int i = 0; i < size; ++i) text += fmt::format("{:02x}", digest[i]);
  return text;
}

std::string sha256_text(std::string_view text) {
  Sha256 digest;
  digest.add(text);
  return digest.hex();
}

bool is_sha256(std::string_view text) {
  return text.size() == 64 &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

absl::StatusOr<std::string> sha256_rest(int file, std::string_view path, const StopSignal& stop) {
  Sha256 digest;
  std::vector<char> buffer(std::size_t{1} << 17);
  while (!stop.is_set()) {
    CVG_ASSIGN_OR_RETURN(const std::size_t count, read_some(file, buffer.data(), buffer.size(), path));
    if (count == 0) {
      std::string text = digest.hex();
      if (!text.empty()) return text;
      return make_error(ErrorKind::kInvariant, fmt::format("digest of {}: OpenSSL has no SHA-256 for us; see its "
                                                           "configuration",
                                                           path));
    }
    digest.add({buffer.data(), count});
  }
  return stopped_error(fmt::format("digest of {}", path));
}

absl::StatusOr<std::string> sha256_file(const std::string& path, const StopSignal& stop) {
  // Without O_NONBLOCK a fifo would keep us until somebody writes to it.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file) return file_error(errno, "opening", path);
  struct stat info;
  if (fstat(file.get(), &info) != 0) return file_error(errno, "looking at", path);
  if (!S_ISREG(info.st_mode)) {
    return make_error(ErrorKind::kUsage, fmt::format("digest of {}: it is no regular file; name one", path));
  }
  return sha256_rest(file.get(), path, stop);
}

}  // namespace convergence
