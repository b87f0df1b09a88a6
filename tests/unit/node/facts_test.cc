#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "convergence/node_facts.h"
#include "lib/node/descriptor.h"
#include "lib/node/proc_text.h"
#include "tests/support/status_check.h"
#include "tests/support/temporary_directory.h"

namespace convergence {
namespace {

TEST_CASE("free disk is that of the path, or of the folder it will be in") {
  test::TemporaryDirectory folder;
  struct statvfs facts {};
  REQUIRE(statvfs(folder.path().c_str(), &facts) == 0);
  const std::uint64_t whole = static_cast<std::uint64_t>(facts.f_blocks) * facts.f_frsize;
  for (const std::string& path :
       {folder.path(), folder.path("not/there/yet"), std::string("/no-such"), std::string("x")}) {
    CAPTURE(path);
    const auto bytes = free_disk(path);
    REQUIRE_OK(bytes);
    CHECK(*bytes > 0);
  }
  CHECK(free_disk(folder.path("a/b")).value_or(0) <= whole);
  std::ofstream(folder.path("file")) << "x";
  CHECK_ERROR(free_disk(folder.path("file/below")), ErrorKind::kNotFound, "Not a directory");
}

TEST_CASE("available memory") {
  CHECK(available_memory_of("MemTotal:       2 kB\nMemAvailable:   1024 kB\nX: 1\n") == 1024 * 1024);
  CHECK(available_memory_of("MemTotal: 2 kB\n") == std::nullopt);
  CHECK(available_memory_of("MemAvailable: many kB\n") == std::nullopt);
  const auto bytes = available_memory();
  REQUIRE_OK(bytes);
  CHECK(*bytes > 0);
}

TEST_CASE("listeners in the kernel's tables") {
  const std::string four =
      "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12345 1 x 100 0\n"
      "   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 777 1 x 100 0\n"
      "   2: 0100007F:1F90 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 778 1 x 20 4\n"
      "   3: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 779 1 x 100 0\n"
      "   4: nonsense\n";
  CHECK(listeners_of(four, 8080) == std::vector<Listener>{{"127.0.0.1:8080", 12345}, {"0.0.0.0:8080", 777}});
  CHECK(listeners_of(four, 80) == std::vector<Listener>{{"0.0.0.0:80", 779}});
  CHECK(listeners_of(four, 81).empty());
  const std::string six =
      "   0: 00000000000000000000000001000000:01BB 00000000000000000000000000000000:0000 0A 0:0 00:0 0 0 0 5 1 x\n";
  CHECK(listeners_of(six, 443) == std::vector<Listener>{{"[::1]:443", 5}});
}

struct OpenPort {
  Descriptor descriptor;
  std::uint16_t port = 0;
};

OpenPort open_port(int family) {
  OpenPort open{Descriptor(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)), 0};
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  address.ss_family = static_cast<sa_family_t>(family);
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  if (!open.descriptor || bind(open.descriptor.get(), generic, size) != 0 || listen(open.descriptor.get(), 1) != 0) {
    return open;
  }
  getsockname(open.descriptor.get(), generic, &size);
  open.port = ntohs(family == AF_INET ? reinterpret_cast<sockaddr_in*>(&address)->sin_port
                                      : reinterpret_cast<sockaddr_in6*>(&address)->sin6_port);
  return open;
}

TEST_CASE("who has a port, in both families") {
  for (const int family : {AF_INET, AF_INET6}) {
    OpenPort open = open_port(family);
    if (open.port == 0 && family == AF_INET6) {
      MESSAGE("left out: no IPv6 here");
      continue;
    }
    REQUIRE(open.port != 0);
    const auto holders = port_holders(open.port);
    REQUIRE_OK(holders);
    REQUIRE(holders->size() == 1);
    const PortHolder& holder = holders->front();
    CHECK(holder.address == (family == AF_INET ? "0.0.0.0:" : "[::]:") + std::to_string(open.port));
    CHECK(holder.pid == getpid());
    CHECK(holder.program == std::filesystem::read_symlink("/proc/self/exe").string());
    CHECK(describe(*holders) == "pid " + std::to_string(getpid()) + " (" + holder.program + ") on " + holder.address);
    open.descriptor.reset();
    CHECK(port_holders(open.port).value_or(std::vector<PortHolder>(9)).empty());
  }
  CHECK(describe(std::vector<PortHolder>{}) == "");
  CHECK(describe({{.address = "0.0.0.0:1"}, {.address = "[::]:1"}}) == "somebody on 0.0.0.0:1, somebody on [::]:1");
}

TEST_CASE("ready is ok in any letter case, late is not ready") {
  const Time now{std::chrono::seconds(100)};
  const Time later = now + std::chrono::seconds(1);
  for (const char* content : {"ok", "OK", "oK", " Ok\r\n", "\tok\n\n"}) {
    CHECK(readiness(content, now, later) == Readiness::kReady);
    CHECK(readiness(content, later, now) == Readiness::kReady);
  }
  for (const char* content : {"", "no", "okay", "o k", "\n"}) {
    CHECK(readiness(content, now, later) == Readiness::kWaiting);
    CHECK(readiness(content, now, now) == Readiness::kLate);
  }
  CHECK(readiness(std::nullopt, now, later) == Readiness::kWaiting);
  CHECK(readiness(std::nullopt, later, now) == Readiness::kLate);
  CHECK(to_string(Readiness::kLate) == "late");
}

TEST_CASE("the semaphore file") {
  test::TemporaryDirectory folder;
  const auto none = read_semaphore(folder.path("ready"));
  REQUIRE_OK(none);
  CHECK_FALSE(none->has_value());
  std::ofstream(folder.path("ready")) << "OK\n";
  CHECK(read_semaphore(folder.path("ready")).value_or(std::nullopt) == std::optional<std::string>("OK\n"));
  CHECK_ERROR(read_semaphore(folder.path()), ErrorKind::kRefused, "is no regular file");
}

}  // namespace
}  // namespace convergence
