#include "lib/node/descriptor.h"

#include <fmt/format.h>

#include <cerrno>
#include <system_error>

#include "convergence/error.h"

namespace convergence {
namespace {

ErrorKind kind_of_errno(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
      return ErrorKind::kNotFound;
    case EACCES:
    case EPERM:
    case EROFS:
      return ErrorKind::kDenied;
    case EFBIG:
    case EDQUOT:
    case ENOSPC:
      return ErrorKind::kTooLarge;
    default:
      return ErrorKind::kRefused;
  }
}

}  // namespace

std::string errno_text(int error) { return std::generic_category().message(error); }

absl::Status errno_error(std::string_view what, int error) {
  const bool full = error == ENOSPC || error == EDQUOT;
  return make_error(kind_of_errno(error),
                    fmt::format("{}: {}{}", what, errno_text(error), full ? "; free some space there" : ""));
}

}  // namespace convergence
