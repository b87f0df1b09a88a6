#ifndef CONVERGENCE_NODE_STATE_H_
#define CONVERGENCE_NODE_STATE_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace convergence {

// What a node writes down for itself: files that are old or new and nothing between, a journal that survives the
// process, and the logs of its deployments. Paths are as the system has them. Errors carry the system's text; kinds:
// not-found, denied, too-large (no room left), refused (the rest of what a file system says).

// ---- files -------------------------------------------------------------------------------------------------------

// After it returns OK the file holds `bytes` also when the power fails; before, it holds what it held. Folder and file
// name stay, so `path` must not be a symbolic link, which would be replaced. A process killed inside leaves a file
// "<name>.XXXXXX" beside it. [any thread]
absl::Status write_file_atomically(const std::string& path, std::string_view bytes, std::uint32_t mode = 0644);

// Of regular files up to `most` bytes; too-large over that.
absl::StatusOr<std::string> read_file(const std::string& path, std::uint64_t most = std::uint64_t{64} << 20);

// Removes these files of the folder, and nothing that is not named: no patterns, no folders, no path separators
// (usage). What is not there is gone already.
absl::Status remove_files(const std::string& folder, const std::vector<std::string>& names);

// ---- journal -----------------------------------------------------------------------------------------------------

// A file of records that is added to at its end. What append() has returned OK for is there after a crash at any
// point; a record that a crash cut off is not, as if it had not been begun. One owner: not thread-safe.
class Journal {
 public:
  // Creates the file where there is none; its folder has to be there. Beside it stands "<path>.lock", held while the
  // journal lives: a second one, of this process or another, is refused (conflict). Damage before the last record is
  // refused too (decode, with member offset), for what follows it was promised to last; so is a file that is no
  // journal.
  static absl::StatusOr<std::unique_ptr<Journal>> open(const std::string& path);
  ~Journal();
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;

  // What it held when it was opened, in order; once.
  std::vector<std::string> take_records();
  // Bytes at its end that were no whole record and were cut off by open(). A record whose append() had not returned;
  // or the last one, damaged since.
  std::uint64_t torn_bytes() const;
  // On the disk when it returns OK. After an error the record is not there and the next one may be tried, unless the
  // disk failed to keep it: then nobody knows, and every later call fails too. Up to 64 MiB a record.
  absl::Status append(std::string_view record);
  // These records in place of all, at once; after an error it holds the old ones or these.
  absl::Status replace(const std::vector<std::string>& records);
  std::uint64_t size() const;  // bytes of the file

 private:
  struct Impl;
  explicit Journal(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// ---- logs --------------------------------------------------------------------------------------------------------

// Takes secrets out of a text that comes in pieces, wherever the pieces are cut. Only the values as they are: not their
// base64, not their halves. Pure.
class Redactor {
 public:
  // Empty ones are none.
  explicit Redactor(std::vector<std::string> secrets);
  // What may be shown by now, each secret as "[secret]". What may be the beginning of a secret is held back.
  std::string add(std::string_view bytes);
  // The rest, at the end of the text. The beginning of a secret, four bytes or more, is "[secret]" there too.
  std::string finish();

 private:
  std::vector<std::string> secrets_;  // longest first
  std::string held_;
};

struct LogOptions {
  std::uint64_t max_size = std::uint64_t{8} << 20;  // bytes of one file, roughly
  std::uint32_t kept = 1;                           // older files beside it: "<path>.1" is the youngest
  std::uint32_t mode = 0640;
  std::vector<std::string> secrets{};
  friend bool operator==(const LogOptions&, const LogOptions&) = default;
};

// The log of one deployment. One owner: not thread-safe. Others may read the file meanwhile.
class DeploymentLog {
 public:
  // Goes on with a file that is there. `path` has a folder that is there.
  static absl::StatusOr<std::unique_ptr<DeploymentLog>> open(const std::string& path, LogOptions options = {});
  // Writes what was held back as the possible beginning of a secret.
  ~DeploymentLog();
  DeploymentLog(const DeploymentLog&) = delete;
  DeploymentLog& operator=(const DeploymentLog&) = delete;

  // In the file when it returns, but for what may be the beginning of a secret. Not synchronised with the disk. Files
  // change at the end of a line, or within one that is longer than a file may be.
  absl::Status write(std::string_view bytes);
  // Of a text that has ended, as a program's output has: what was held back is written.
  absl::Status flush();

 private:
  struct Impl;
  explicit DeploymentLog(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

// The last lines, at most `lines`, of a log and of the older files beside it; without line ends, valid UTF-8, each cut
// to `most_bytes`. A log that is not there has none.
absl::StatusOr<std::vector<std::string>> tail_of_log(const std::string& path, std::size_t lines,
                                                     std::size_t most_bytes = 2000);
// "<path>", "<path>.1", ...: those that a log with these options may have.
std::vector<std::string> log_files(const std::string& path, const LogOptions& options);

}  // namespace convergence

#endif  // CONVERGENCE_NODE_STATE_H_
