#include "tests/support/consul_server.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>
#include <utility>

#include "lib/base/status_macros.h"

namespace convergence::test {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kStartPatience{60};
constexpr std::chrono::milliseconds kPoll{20};
constexpr int kStopPatienceMs = 10000;
constexpr int kPortTries = 5;

std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

absl::Status write_text(const std::string& path, std::string_view text) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << text;
  file.close();
  return file.good() ? absl::OkStatus() : absl::InternalError(fmt::format("{}: cannot be written", path));
}

struct Finished {
  int exit_code = -1;  // -1: ended by a signal
  std::string output;  // of stdout and stderr
};

// Everything the child needs is made before the fork: other threads may hold any lock.
pid_t spawn(const std::vector<std::string>& arguments, const std::string& directory, int output) {
  std::vector<char*> pointers;
  for (const std::string& argument : arguments) {
    pointers.push_back(const_cast<char*>(argument.c_str()));
  }
  pointers.push_back(nullptr);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) {
    return child;
  }
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent || chdir(directory.c_str()) != 0) {
    _exit(127);
  }
  signal(SIGPIPE, SIG_DFL);
  dup2(open("/dev/null", O_RDONLY), 0);
  dup2(output, 1);
  dup2(output, 2);
  close_range(3, ~0U, 0);
  execv(pointers[0], pointers.data());
  _exit(127);
}

absl::StatusOr<Finished> run(const std::vector<std::string>& arguments, const std::string& directory) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) {
    return absl::InternalError("pipe2 failed");
  }
  const pid_t child = spawn(arguments, directory, ends[1]);
  close(ends[1]);
  Finished finished;
  char buffer[4096];
  ssize_t count = 0;
  while ((count = ::read(ends[0], buffer, sizeof buffer)) > 0 || (count < 0 && errno == EINTR)) {
    finished.output.append(buffer, static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
  }
  close(ends[0]);
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) {
    return absl::InternalError(fmt::format("{}: cannot be run", arguments[0]));
  }
  finished.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return finished;
}

absl::StatusOr<std::string> run_ok(const std::vector<std::string>& arguments, const std::string& directory) {
  CVG_ASSIGN_OR_RETURN(Finished finished, run(arguments, directory));
  if (finished.exit_code != 0) {
    return absl::InternalError(
        fmt::format("{}: exit {}: {}", fmt::join(arguments, " "), finished.exit_code, finished.output));
  }
  return std::move(finished.output);
}

std::string trimmed(std::string text) {
  const auto end = text.find_last_not_of(" \r\n\t");
  text.erase(end == std::string::npos ? 0 : end + 1);
  return text;
}

absl::StatusOr<std::string> find_binary() {
  if (std::string named = environment("CONVERGENCE_CONSUL_BIN"); !named.empty()) {
    return named;
  }
  if (const std::string reason = environment("CONVERGENCE_NO_CONSUL"); !reason.empty()) {
    return absl::NotFoundError(reason);
  }
  CVG_ASSIGN_OR_RETURN(const Finished fetched,
                       run({CONVERGENCE_SOURCE_DIR "/tests/support/fetch_consul.sh"}, CONVERGENCE_SOURCE_DIR));
  if (fetched.exit_code == 77) {
    return absl::NotFoundError(trimmed(fetched.output));
  }
  if (fetched.exit_code != 0) {
    return absl::InvalidArgumentError(trimmed(fetched.output));
  }
  return trimmed(fetched.output);
}

// The first "N.N.N" of what `consul version` prints.
std::string version_in(std::string_view text) {
  const auto start = text.find_first_of("0123456789");
  if (start == std::string_view::npos) {
    return "";
  }
  const auto end = text.find_first_not_of("0123456789.", start);
  return std::string(text.substr(start, end - start));
}

sockaddr_in loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

bool bind_loopback(int descriptor, int port) {
  const sockaddr_in address = loopback(port);
  return bind(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

bool udp_port_is_free(int port) {
  const int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const bool is_free = descriptor >= 0 && bind_loopback(descriptor, port);
  close(descriptor);
  return is_free;
}

// Binds without listening and with SO_REUSEADDR: the kernel gives the port to nobody who asks for any, and a server
// that asks for this one (with SO_REUSEADDR, as Go does) may still listen on it.
int reserve_port(int* port) {
  const int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int yes = 1;
  sockaddr_in address = {};
  socklen_t length = sizeof address;
  if (descriptor < 0 || setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      !bind_loopback(descriptor, 0) || getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &length) != 0) {
    close(descriptor);
    return -1;
  }
  *port = ntohs(address.sin_port);
  return descriptor;
}

std::size_t append_body(char* data, std::size_t size, std::size_t count, void* answer) {
  static_cast<RawAnswer*>(answer)->body.append(data, size * count);
  return size * count;
}

std::size_t append_header(char* data, std::size_t size, std::size_t count, void* answer) {
  const std::string line = trimmed(std::string(data, size * count));
  if (const auto colon = line.find(':'); colon != std::string::npos) {
    std::string name = line.substr(0, colon);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    const auto value = line.find_first_not_of(' ', colon + 1);
    static_cast<RawAnswer*>(answer)->headers[name] = value == std::string::npos ? "" : line.substr(value);
  }
  return size * count;
}

void set_receivers(CURL* curl, RawAnswer* answer) {
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, append_body);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, append_header);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, answer);
}

// The value of a string member that occurs once in a small answer of the server.
std::string member_text(const std::string& body, const std::string& name) {
  const std::string mark = fmt::format("\"{}\":\"", name);
  const auto start = body.find(mark);
  if (start == std::string::npos) {
    return "";
  }
  const auto end = body.find('"', start + mark.size());
  return body.substr(start + mark.size(), end - start - mark.size());
}

}  // namespace

absl::StatusOr<std::string> consul_binary() {
  static const absl::StatusOr<std::string> found = find_binary();
  return found;
}

absl::StatusOr<std::unique_ptr<ConsulServer>> ConsulServer::start(const ConsulServerOptions& options) {
  std::unique_ptr<ConsulServer> server(new ConsulServer());
  server->options_ = options;
  CVG_RETURN_IF_ERROR(server->prepare());
  CVG_RETURN_IF_ERROR(server->start_on_free_ports());
  return server;
}

ConsulServer::~ConsulServer() {
  stop().IgnoreError();
  release_ports();
  if (!directory_.empty() && environment("CONVERGENCE_KEEP_CONSUL").empty()) {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }
}

absl::Status ConsulServer::prepare() {
  CVG_ASSIGN_OR_RETURN(binary_, consul_binary());
  std::string pattern = (std::filesystem::temp_directory_path() / "cvg-consul-XXXXXX").string();
  if (mkdtemp(pattern.data()) == nullptr) {
    return absl::InternalError(fmt::format("{}: cannot be made", pattern));
  }
  directory_ = pattern;
  CVG_ASSIGN_OR_RETURN(const std::string printed, run_ok({binary_, "version"}, directory_));
  version_ = version_in(printed);
  return options_.tls ? make_certificates() : absl::OkStatus();
}

absl::Status ConsulServer::make_certificates() {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{binary_, "tls", "ca", "create"},
        std::vector<std::string>{binary_, "tls", "cert", "create", "-server"},
        std::vector<std::string>{binary_, "tls", "cert", "create", "-client"}}) {
    CVG_RETURN_IF_ERROR(run_ok(arguments, directory_).status());
  }
  return absl::OkStatus();
}

absl::Status ConsulServer::start_on_free_ports() {
  absl::Status status;
  for (int attempt = 0; attempt < kPortTries; ++attempt) {
    CVG_RETURN_IF_ERROR(reserve_ports());
    CVG_RETURN_IF_ERROR(write_config());
    status = launch_and_wait();
    if (status.ok() || log().find("address already in use") == std::string::npos) {
      return status;
    }
    CVG_RETURN_IF_ERROR(kill());
    std::filesystem::remove_all(directory_ + "/data");
  }
  return status;
}

absl::Status ConsulServer::reserve_ports() {
  release_ports();
  for (int* port : {&http_port_, &serf_port_, &server_port_}) {
    const int descriptor = reserve_port(port);
    if (descriptor < 0) {
      return absl::ResourceExhaustedError("no free loopback port");
    }
    reserved_.push_back(descriptor);
  }
  // Serf wants the same number in UDP, which cannot be reserved beside it; start_on_free_ports tries again.
  if (!udp_port_is_free(serf_port_)) {
    return reserve_ports();
  }
  return absl::OkStatus();
}

void ConsulServer::release_ports() {
  for (const int descriptor : reserved_) {
    close(descriptor);
  }
  reserved_.clear();
}

absl::Status ConsulServer::write_config() const {
  std::string more;
  if (options_.tls) {
    more += fmt::format(
        R"(, "ca_file": "{}", "cert_file": "{}/dc1-server-consul-0.pem", "key_file": "{}/dc1-server-consul-0-key.pem",
 "verify_incoming_https": {})",
        ca_file(), directory_, directory_, options_.verify_incoming);
  }
  if (options_.unix_socket) {
    more += fmt::format(R"(, "addresses": {{"http": "{}"}})", address());
  }
  if (options_.acl) {
    more += R"(, "acl": {"enabled": true, "default_policy": "deny", "enable_token_persistence": true})";
  }
  const std::string later_ports = version_at_least(1, 14) ? R"(, "grpc_tls": -1)" : "";
  const std::string config = fmt::format(
      R"({{"server": true, "bootstrap": true, "node_name": "fixture", "datacenter": "dc1", "data_dir": "{}/data",
 "bind_addr": "127.0.0.1", "client_addr": "127.0.0.1", "performance": {{"raft_multiplier": 1}},
 "disable_update_check": true, "connect": {{"enabled": true}},
 "ports": {{"http": {}, "https": {}, "dns": -1, "grpc": -1{}, "serf_lan": {}, "serf_wan": -1, "server": {}}}{}}}
)",
      directory_, options_.tls ? -1 : http_port_, options_.tls ? http_port_ : -1, later_ports, serf_port_, server_port_,
      more);
  std::filesystem::create_directories(directory_ + "/config");
  CVG_RETURN_IF_ERROR(write_text(directory_ + "/config/10-fixture.json", config));
  return options_.extra_config.empty() ? absl::OkStatus()
                                       : write_text(directory_ + "/config/20-extra.json", options_.extra_config);
}

absl::Status ConsulServer::launch() {
  const int output =
      open((directory_ + "/consul.log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
  if (output < 0) {
    return absl::InternalError("the log of consul cannot be written");
  }
  const pid_t child = spawn({binary_, "agent", "-config-dir", directory_ + "/config"}, directory_, output);
  close(output);
  if (child < 0) {
    return absl::InternalError("fork failed");
  }
  pid_ = child;
  return absl::OkStatus();
}

absl::Status ConsulServer::launch_and_wait() {
  CVG_RETURN_IF_ERROR(launch());
  absl::Status ready = wait_until_ready();
  if (!ready.ok()) {
    return absl::Status(ready.code(), fmt::format("{}\n{}", std::string(ready.message()), log()));
  }
  return absl::OkStatus();
}

absl::Status ConsulServer::wait_until_ready() {
  const auto deadline = Clock::now() + kStartPatience;
  for (; Clock::now() < deadline; std::this_thread::sleep_for(kPoll)) {
    if (exited()) {
      return absl::UnavailableError("consul ended before it was ready");
    }
    if (options_.acl && token_.empty() && !bootstrap_acl().ok()) {
      continue;
    }
    if (in_own_catalog()) {
      return absl::OkStatus();
    }
  }
  return absl::DeadlineExceededError("consul did not become ready");
}

// The leader enters itself only when it has finished establishing itself: the status endpoint is earlier.
bool ConsulServer::in_own_catalog() const {
  const absl::StatusOr<RawAnswer> answer = request("GET", "/v1/health/node/fixture");
  return answer.ok() && answer->status == 200 && answer->body.find("\"Status\":\"passing\"") != std::string::npos;
}

absl::Status ConsulServer::bootstrap_acl() {
  CVG_ASSIGN_OR_RETURN(const RawAnswer answer, request("PUT", "/v1/acl/bootstrap"));
  const std::string secret = answer.status == 200 ? member_text(answer.body, "SecretID") : "";
  if (secret.empty()) {
    return absl::UnavailableError(answer.body);
  }
  token_ = secret;
  // Without one of its own the agent cannot keep even its own node in the catalog.
  const std::string body = fmt::format(R"({{"Token": "{}"}})", token_);
  return request("PUT", "/v1/agent/token/agent", body).status();
}

bool ConsulServer::exited() {
  if (pid_ != 0 && waitpid(pid_, nullptr, WNOHANG) == pid_) {
    pid_ = 0;
  }
  return pid_ == 0;
}

void ConsulServer::signal_and_reap(int signal_number, int patience_ms) {
  if (exited()) {
    return;
  }
  ::kill(pid_, signal_number);
  const auto deadline = Clock::now() + std::chrono::milliseconds(patience_ms);
  while (!exited() && Clock::now() < deadline) {
    std::this_thread::sleep_for(kPoll);
  }
}

absl::Status ConsulServer::stop() {
  signal_and_reap(SIGTERM, kStopPatienceMs);
  return kill();
}

absl::Status ConsulServer::kill() {
  signal_and_reap(SIGKILL, kStopPatienceMs);
  return pid_ == 0 ? absl::OkStatus() : absl::InternalError(fmt::format("process {} does not end", pid_));
}

absl::Status ConsulServer::restart() {
  CVG_RETURN_IF_ERROR(stop());
  return launch_and_wait();
}

std::string ConsulServer::address() const {
  if (options_.unix_socket) {
    return fmt::format("unix://{}/http.sock", directory_);
  }
  return fmt::format("{}127.0.0.1:{}", options_.tls ? "https://" : "", http_port_);
}

bool ConsulServer::version_at_least(int major, int minor) const {
  int parts[2] = {0, 0};
  const char* at = version_.data();
  const char* const end = at + version_.size();
  for (int& part : parts) {
    at = std::from_chars(at, end, part).ptr;
    at += at != end ? 1 : 0;
  }
  return std::pair(parts[0], parts[1]) >= std::pair(major, minor);
}

void ConsulServer::set_target(CURL* curl, std::string_view path) const {
  const std::string origin = options_.unix_socket
                                 ? "http://localhost"
                                 : fmt::format("{}://127.0.0.1:{}", options_.tls ? "https" : "http", http_port_);
  curl_easy_setopt(curl, CURLOPT_URL, (origin + std::string(path)).c_str());
  curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
  if (options_.unix_socket) {
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, (directory_ + "/http.sock").c_str());
  }
  if (options_.tls) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file().c_str());
    curl_easy_setopt(curl, CURLOPT_SSLCERT, client_cert_file().c_str());
    curl_easy_setopt(curl, CURLOPT_SSLKEY, client_key_file().c_str());
  }
}

absl::StatusOr<RawAnswer> ConsulServer::request(std::string_view method, std::string_view path, std::string_view body,
                                                bool with_token) const {
  // Kept for its connection: a new one for each request takes longer than most answers.
  thread_local const std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle(curl_easy_init(), &curl_easy_cleanup);
  CURL* const curl = handle.get();
  curl_easy_reset(curl);
  const std::string body_text(body);  // libcurl borrows it
  RawAnswer answer;
  set_target(curl, path);
  set_receivers(curl, &answer);
  curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, std::string(method).c_str());
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  if (method != "GET" && method != "DELETE") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body_text.size()));
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body_text.c_str());
  }
  const std::string token_line = "X-Consul-Token: " + token_;
  curl_slist* headers = with_token && !token_.empty() ? curl_slist_append(nullptr, token_line.c_str()) : nullptr;
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  const CURLcode code = curl_easy_perform(curl);
  curl_slist_free_all(headers);
  if (code != CURLE_OK) {
    return absl::UnavailableError(fmt::format("{} {}: {}", method, path, curl_easy_strerror(code)));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  return answer;
}

std::string ConsulServer::log() const { return read_text(directory_ + "/consul.log"); }

}  // namespace convergence::test
