#ifndef CONVERGENCE_LIB_CODEC_PLACE_H_
#define CONVERGENCE_LIB_CODEC_PLACE_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "convergence/json.h"

namespace convergence::codec {

// Appends one reference token of a JSON pointer (RFC 6901), '~' and '/' escaped.
void append_pointer_token(std::string& pointer, std::string_view token);

// The one error of this layer: "<document>: <pointer> (offset N): <problem>", kind "decode", detail {document, pointer,
// offset}. The pointer of a whole document is empty and left out of the text.
absl::Status decode_error(std::string_view document, std::string_view pointer, std::size_t offset,
                          std::string_view problem);

// Where in a document a decoder stands: a chain of references up the call stack, so that nothing is spelled out unless
// there is an error to report. A place must not outlive its parent, nor the names it was given.
class Place {
 public:
  explicit Place(std::string_view document) : token_(document) {}

  Place member(std::string_view name) const { return Place(this, name, 0); }
  Place item(std::size_t index) const { return Place(this, {}, index); }

  std::string_view document() const { return parent_ ? parent_->document() : token_; }
  std::string pointer() const;

  // An error about `json`, which stands here.
  absl::Status error(const Json& json, std::string_view problem) const {
    return decode_error(document(), pointer(), json.offset, problem);
  }

 private:
  Place(const Place* parent, std::string_view token, std::size_t index)
      : parent_(parent), token_(token), index_(index), is_item_(token.data() == nullptr) {}

  const Place* parent_ = nullptr;
  std::string_view token_;  // the document's name at the root, else the member's
  std::size_t index_ = 0;
  bool is_item_ = false;
};

}  // namespace convergence::codec

#endif  // CONVERGENCE_LIB_CODEC_PLACE_H_
