#include <dirent.h>
#include <fmt/format.h>
#include <limits.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <memory>

#include "convergence/error.h"
#include "convergence/node_facts.h"
#include "convergence/node_state.h"
#include "lib/base/status_macros.h"
#include "lib/node/descriptor.h"
#include "lib/node/files.h"
#include "lib/node/proc_text.h"

namespace convergence {
namespace {

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

template <typename Each>
void for_each_name(const std::string& path, Each each) {
  const Folder folder(opendir(path.c_str()));
  if (!folder) return;
  while (const dirent* entry = readdir(folder.get())) each(std::string(entry->d_name));
}

std::string link_target(const std::string& path) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = readlink(path.c_str(), target.data(), target.size());
  return size > 0 ? std::string(target.data(), static_cast<std::size_t>(size)) : std::string();
}

std::string program_of(const std::string& process) {
  std::string program = link_target(process + "/exe");
  if (!program.empty()) return program;
  program = read_file(process + "/comm", 256).value_or("");
  if (program.ends_with('\n')) program.pop_back();
  return program;
}

// Fills in who has the sockets, as far as that may be read.
void find_holders(const std::vector<Listener>& listeners, std::vector<PortHolder>& holders) {
  for_each_name("/proc", [&](const std::string& name) {
    std::int32_t pid = 0;
    const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || end != name.data() + name.size()) return;
    const std::string process = "/proc/" + name;
    for_each_name(process + "/fd", [&](const std::string& descriptor) {
      const std::string target = link_target(process + "/fd/" + descriptor);
      if (!target.starts_with("socket:[")) return;
      for (std::size_t i = 0; i < listeners.size(); ++i) {
        if (holders[i].pid != 0 || target != fmt::format("socket:[{}]", listeners[i].inode)) continue;
        holders[i].pid = pid;
        holders[i].program = program_of(process);
      }
    });
  });
}

}  // namespace

absl::StatusOr<std::uint64_t> free_disk(const std::string& path) {
  std::string at = path;
  struct statvfs facts {};
  while (statvfs(at.c_str(), &facts) != 0) {
    const int error = errno;
    const std::string above = folder_of(at);
    if (error != ENOENT || at.empty() || above == at) return errno_error(path, error);
    at = above;
  }
  return static_cast<std::uint64_t>(facts.f_bavail) * facts.f_frsize;
}

absl::StatusOr<std::uint64_t> available_memory() {
  CVG_ASSIGN_OR_RETURN(const std::string text, read_file("/proc/meminfo"));
  if (const auto bytes = available_memory_of(text)) return *bytes;
  return make_error(ErrorKind::kRefused, "/proc/meminfo: has no MemAvailable");
}

absl::StatusOr<std::vector<PortHolder>> port_holders(std::uint16_t port) {
  std::vector<Listener> listeners;
  for (const char* table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    const auto text = read_file(table, std::uint64_t{1} << 30);
    // A kernel may be without IPv6.
    if (!text.ok() && error_kind(text.status()) == ErrorKind::kNotFound) continue;
    if (!text.ok()) return text.status();
    const std::vector<Listener> here = listeners_of(*text, port);
    listeners.insert(listeners.end(), here.begin(), here.end());
  }
  std::vector<PortHolder> holders;
  for (const Listener& listener : listeners) holders.push_back({.address = listener.address});
  if (!listeners.empty()) find_holders(listeners, holders);
  return holders;
}

std::string describe(const std::vector<PortHolder>& holders) {
  std::string text;
  for (const PortHolder& holder : holders) {
    if (!text.empty()) text += ", ";
    if (holder.pid == 0) {
      text += fmt::format("somebody on {}", holder.address);
    } else {
      text += fmt::format("pid {} ({}) on {}", holder.pid, holder.program, holder.address);
    }
  }
  return text;
}

}  // namespace convergence
