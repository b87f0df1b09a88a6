#ifndef CONVERGENCE_CAPI_DOCUMENTS_H_
#define CONVERGENCE_CAPI_DOCUMENTS_H_

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "capi/guard.h"
#include "convergence/codec.h"
#include "convergence/import.h"
#include "lib/base/status_macros.h"

namespace convergence::capi {

// What comes over the boundary as a value, and back.

template <typename T>
absl::StatusOr<T> read_value(cvg_slice slice, std::string_view name) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(slice, name));
  return from_json<T>(json, name);
}

// An error about a document as a whole, kind "decode".
absl::Status shape_error(std::string_view name, std::string_view problem);

template <typename T>
absl::StatusOr<std::vector<T>> read_list(cvg_slice slice, std::string_view name) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(slice, name));
  const Json::Array* array = json.as_array();
  if (array == nullptr) return shape_error(name, "is no array; give a list");
  std::vector<T> list;
  list.reserve(array->size());
  for (std::size_t i = 0; i < array->size(); ++i) {
    CVG_ASSIGN_OR_RETURN(T one, from_json<T>((*array)[i], std::string(name) + "[" + std::to_string(i) + "]"));
    list.push_back(std::move(one));
  }
  return list;
}

template <typename T>
Json list_json(const std::vector<T>& list) {
  Json::Array array;
  for (const T& one : list) array.push_back(to_json(one));
  return array;
}

Json texts_json(const std::vector<std::string>& texts);
Json report_json(const std::vector<ImportRow>& report);

}  // namespace convergence::capi

#endif  // CONVERGENCE_CAPI_DOCUMENTS_H_
