#ifndef CONVERGENCE_LIB_NODE_FILE_CALLS_H_
#define CONVERGENCE_LIB_NODE_FILE_CALLS_H_

#include <sys/stat.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "convergence/error.h"
#include "convergence/node.h"
#include "lib/node/descriptor.h"

namespace convergence {

// What the system said of `path`, as "<what> <path>: <system's text>; <remedy>".
absl::Status file_error(int error, std::string_view what, std::string_view path);
absl::Status stopped_error(std::string_view what);

// A path in one form: absolute, no "." or "..", no empty part, no "/" at the end, UTF-8 without control characters.
bool is_normal_absolute(std::string_view path);
// True of a path equal to or below `folder`; both normal.
bool is_at_or_below(std::string_view path, std::string_view folder);
bool is_below(std::string_view path, std::string_view folder);
std::string parent_of(std::string_view path);  // of "/a": "/"; of "a": ""
std::string base_name(std::string_view path);
std::string join_path(std::string_view folder, std::string_view name);
std::vector<std::string> path_parts(std::string_view path);
// The byte offset of a control character, C1 too, or of what is no UTF-8; npos: none.
std::size_t find_unprintable(std::string_view text);

absl::StatusOr<Descriptor> open_folder(const std::string& path);  // links on the way are followed: a path of ours
// Below an open folder, part by part; no part may be a link. Made with mode 0755 where they are missing and `make`.
absl::StatusOr<Descriptor> open_folder_below(int folder, std::string_view relative, bool make, std::string_view place);
absl::Status make_folders(const std::string& path);

absl::Status write_all(int file, std::string_view bytes, std::string_view path);
// Up to the end of a read; 0 at the end of the file.
absl::StatusOr<std::size_t> read_some(int file, char* buffer, std::size_t size, std::string_view path);
absl::Status sync_file(int file, std::string_view path);
// A file of this content from `source` on, both at where they stand.
absl::Status copy_rest(int source, std::string_view source_path, int target, std::string_view target_path,
                       const StopSignal& stop);
// What a link in an open folder says; kind "not-found" for none.
absl::StatusOr<std::string> read_link(int folder, const std::string& name, std::string_view place);
// False: nothing is there.
absl::StatusOr<bool> look_at(int folder, const std::string& name, struct stat& info, std::string_view place);
// What is called so in an open folder, with all below it.
absl::Status remove_in(int folder, const std::string& name, std::string_view place);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_NODE_FILE_CALLS_H_
