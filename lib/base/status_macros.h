#ifndef CONVERGENCE_LIB_BASE_STATUS_MACROS_H_
#define CONVERGENCE_LIB_BASE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define CVG_RETURN_IF_ERROR(expression)                             \
  do {                                                              \
    if (absl::Status cvg_status = (expression); !cvg_status.ok()) { \
      return cvg_status;                                            \
    }                                                               \
  } while (false)

#define CVG_CONCAT_(a, b) a##b
#define CVG_CONCAT(a, b) CVG_CONCAT_(a, b)

// CVG_ASSIGN_OR_RETURN(auto value, call()); makes two statements: not the body of an unbraced if.
#define CVG_ASSIGN_OR_RETURN(target, expression) \
  CVG_ASSIGN_OR_RETURN_(CVG_CONCAT(cvg_result_, __LINE__), target, expression)
#define CVG_ASSIGN_OR_RETURN_(result, target, expression) \
  auto result = (expression);                             \
  if (!result.ok()) return std::move(result).status();    \
  target = *std::move(result)

#endif  // CONVERGENCE_LIB_BASE_STATUS_MACROS_H_
