#include "lib/node/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>

#include "convergence/error.h"
#include "lib/base/status_macros.h"
#include "lib/node/descriptor.h"

namespace convergence {
namespace {

using std::chrono::milliseconds;

constexpr std::size_t kPiece = std::size_t{64} << 10;
// How long after KILL the helper may take to find that nothing is left.
constexpr Duration kPatience = std::chrono::seconds(10);

std::string helper_path(const ProcessSpec& spec) {
  if (!spec.helper.empty()) return spec.helper;
  std::array<char, PATH_MAX> self{};
  const ssize_t size = readlink("/proc/self/exe", self.data(), self.size());
  const std::string program(self.data(), size > 0 ? static_cast<std::size_t>(size) : 0);
  const std::string folder = program.substr(0, program.rfind('/') + 1);
  const std::string beside = folder + "convergence-spawn";
  const std::string installed = folder + "../libexec/convergence/convergence-spawn";
  return access(beside.c_str(), X_OK) != 0 && access(installed.c_str(), X_OK) == 0 ? installed : beside;
}

// The ends that the helper gets must not be among the numbers that it is to find them under.
absl::StatusOr<Descriptor> out_of_the_way(int descriptor) {
  Descriptor moved(fcntl(descriptor, F_DUPFD_CLOEXEC, SPAWN_FIRST_OTHER));
  if (!moved) return errno_error("descriptors", errno);
  return moved;
}

struct Actions {
  Actions() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~Actions() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  Actions(const Actions&) = delete;
  Actions& operator=(const Actions&) = delete;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

// The last bytes of what was added.
class Tail {
 public:
  explicit Tail(std::size_t limit) : limit_(limit) {}
  void add(std::string_view bytes) {
    if (bytes.size() > limit_) bytes.remove_prefix(bytes.size() - limit_);
    bytes_.append(bytes);
    if (bytes_.size() > 2 * limit_) bytes_.erase(0, bytes_.size() - limit_);
  }
  std::string take() {
    if (bytes_.size() > limit_) bytes_.erase(0, bytes_.size() - limit_);
    return std::move(bytes_);
  }

 private:
  std::size_t limit_;
  std::string bytes_;
};

class Run {
 public:
  Run(const ProcessSpec& spec, const OutputSink& sink, const StopSignal& stop, const std::function<Duration()>& elapsed)
      : spec_(spec), sink_(sink), stop_(stop), elapsed_(elapsed), tail_(spec.tail_limit) {}

  // Also when a sink throws: without its caller the helper ends everything, at once.
  ~Run() {
    control_.reset();
    output_.reset();
    wait_for_helper();
  }

  absl::StatusOr<ProcessResult> run() {
    CVG_ASSIGN_OR_RETURN(request_, spawn_request_of(spec_));
    if (stop_.is_set())
      return make_error(ErrorKind::kCancelled, fmt::format("{}: stopped before it began", spec_.program));
    CVG_RETURN_IF_ERROR(start());
    while (!over_) step();
    drain();
    if (!failure_.ok()) return failure_;
    result_.tail = tail_.take();
    return std::move(result_);
  }

 private:
  absl::Status start();
  void step();
  void watch_time();
  void end(ProcessEnd why);
  void kill_helper();
  void wait_for_helper();
  void write_control();
  void read_control();
  void take(const spawn_message& message);
  void helper_gone();
  bool read_output(std::size_t most);
  void drain();
  void give(std::string_view bytes);
  int poll_timeout() const;

  const ProcessSpec& spec_;
  const OutputSink& sink_;
  const StopSignal& stop_;
  const std::function<Duration()>& elapsed_;
  Tail tail_;
  std::string request_;  // what is left to send
  Descriptor control_;
  Descriptor output_;
  Descriptor helper_fd_;
  pid_t helper_ = -1;
  pid_t program_ = -1;
  std::string messages_;
  bool output_ended_ = false;
  bool program_ended_ = false;
  bool ending_ = false;
  bool over_ = false;
  Duration give_up_at_ = Duration::max();
  absl::Status failure_;
  ProcessResult result_;
};

absl::Status Run::start() {
  std::array<int, 2> sockets{-1, -1};
  std::array<int, 2> pipes{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets.data()) != 0) return errno_error("socketpair", errno);
  control_ = Descriptor(sockets[0]);
  const Descriptor their_control(sockets[1]);
  if (pipe2(pipes.data(), O_CLOEXEC) != 0) return errno_error("pipe", errno);
  output_ = Descriptor(pipes[0]);
  const Descriptor their_output(pipes[1]);
  CVG_ASSIGN_OR_RETURN(const Descriptor control_end, out_of_the_way(their_control.get()));
  CVG_ASSIGN_OR_RETURN(const Descriptor writing_end, out_of_the_way(their_output.get()));
  CVG_ASSIGN_OR_RETURN(const Descriptor reading_end, out_of_the_way(output_.get()));
  fcntl(control_.get(), F_SETFL, O_NONBLOCK);
  fcntl(output_.get(), F_SETFL, O_NONBLOCK);

  Actions actions;
  posix_spawn_file_actions_addopen(&actions.files, 0, "/dev/null", O_RDWR, 0);
  posix_spawn_file_actions_adddup2(&actions.files, writing_end.get(), 1);
  posix_spawn_file_actions_adddup2(&actions.files, writing_end.get(), 2);
  posix_spawn_file_actions_adddup2(&actions.files, control_end.get(), SPAWN_CONTROL);
  posix_spawn_file_actions_adddup2(&actions.files, reading_end.get(), SPAWN_OUTPUT);
  // What the host blocks or ignores is no business of the program's.
  sigset_t none;
  sigset_t all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&actions.attributes, &none);
  posix_spawnattr_setsigdefault(&actions.attributes, &all);
  posix_spawnattr_setflags(&actions.attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | static_cast<short>(POSIX_SPAWN_SETSID));
  const std::string helper = helper_path(spec_);
  // The name is for people who look at the list of processes; arguments may hold secrets and go by the socket.
  std::array<char*, 3> arguments{const_cast<char*>("convergence-spawn"), const_cast<char*>(spec_.program.c_str()),
                                 nullptr};
  std::array<char*, 1> environment{nullptr};
  const int error =
      posix_spawn(&helper_, helper.c_str(), &actions.files, &actions.attributes, arguments.data(), environment.data());
  if (error != 0) {
    helper_ = -1;
    return make_error(ErrorKind::kInvariant,
                      fmt::format("the helper program {}: {}; install it there, or name it in the "
                                  "spec",
                                  helper, errno_text(error)));
  }
  helper_fd_ = Descriptor(static_cast<int>(syscall(SYS_pidfd_open, helper_, 0)));
  return absl::OkStatus();
}

int Run::poll_timeout() const {
  const Duration until = ending_ ? give_up_at_ : spec_.timeout;
  const Duration rest = until - elapsed_();
  if (rest <= Duration::zero()) return 0;
  return static_cast<int>(std::min<std::int64_t>(std::chrono::ceil<milliseconds>(rest).count(), INT_MAX));
}

void Run::step() {
  // poll() leaves out negative descriptors.
  std::array<pollfd, 3> watched{
      pollfd{control_.get(), static_cast<short>(POLLIN | (request_.empty() ? 0 : POLLOUT)), 0},
      pollfd{output_ended_ ? -1 : output_.get(), POLLIN, 0},
      pollfd{ending_ ? -1 : stop_.descriptor(), POLLIN, 0},
  };
  if (poll(watched.data(), watched.size(), poll_timeout()) < 0) return;  // EINTR
  if (watched[1].revents != 0) output_ended_ = !read_output(kPiece);
  if ((watched[0].revents & POLLOUT) != 0) write_control();
  if ((watched[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0) read_control();
  watch_time();
}

void Run::watch_time() {
  if (over_) return;
  if (!ending_) {
    if (stop_.is_set()) end(ProcessEnd::kStopped);
    if (!ending_ && elapsed_() >= spec_.timeout) end(ProcessEnd::kTimedOut);
  } else if (elapsed_() >= give_up_at_) {
    result_.survivors = true;
    over_ = true;
    kill_helper();
  }
}

void Run::end(ProcessEnd why) {
  ending_ = true;
  result_.end = why;
  const char order = SPAWN_STOP;
  give_up_at_ = elapsed_() + spec_.grace + kPatience;
  if (request_.empty()) {
    send(control_.get(), &order, 1, MSG_NOSIGNAL);
  } else {  // it has not begun
    control_.reset();
    helper_gone();
  }
}

void Run::kill_helper() {
  if (program_ > 0 && !program_ended_) kill(-program_, SIGKILL);
  if (helper_fd_) {
    syscall(SYS_pidfd_send_signal, helper_fd_.get(), SIGKILL, nullptr, 0);
  } else if (helper_ > 0) {
    kill(helper_, SIGKILL);
  }
}

void Run::wait_for_helper() {
  if (helper_ <= 0) return;
  // A host that ignores SIGCHLD, or waits for whatever ends, has taken it already.
  while (waitpid(helper_, nullptr, 0) < 0 && errno == EINTR) {
  }
  helper_ = -1;
}

void Run::write_control() {
  const ssize_t sent = send(control_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
  if (sent > 0) request_.erase(0, static_cast<std::size_t>(sent));
  if (sent < 0 && errno != EAGAIN && errno != EINTR) request_.clear();  // its end shows when reading
}

void Run::read_control() {
  std::array<char, 16 * sizeof(spawn_message)> bytes;
  const ssize_t got = recv(control_.get(), bytes.data(), bytes.size(), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return helper_gone();
  messages_.append(bytes.data(), static_cast<std::size_t>(got));
  while (messages_.size() >= sizeof(spawn_message) && !over_) {
    spawn_message message{};
    messages_.copy(reinterpret_cast<char*>(&message), sizeof message);
    messages_.erase(0, sizeof message);
    take(message);
  }
}

void Run::take(const spawn_message& message) {
  switch (message.kind) {
    case SPAWN_STARTED:
      program_ = message.value;
      return;
    case SPAWN_ENDED:
      program_ended_ = true;
      if (ending_) return;
      // What is left to wait for is the end of those that it left behind.
      ending_ = true;
      give_up_at_ = elapsed_() + spec_.grace + kPatience;
      if (WIFSIGNALED(message.value)) {
        result_.end = ProcessEnd::kSignalled;
        result_.signal = WTERMSIG(message.value);
      } else {
        result_.exit_status = WEXITSTATUS(message.value);
      }
      return;
    case SPAWN_FAILED:
      if (!ending_) failure_ = spawn_failure(spec_, message);
      break;
    case SPAWN_DETACHED:
      result_.kept_children = static_cast<std::uint32_t>(message.value);
      break;
    default:
      result_.ended_children = static_cast<std::uint32_t>(message.value);
      break;
  }
  over_ = true;
}

// Without its last word: somebody has ended the helper, or it is not ours.
void Run::helper_gone() {
  over_ = true;
  if (ending_ && !program_ended_ && program_ < 0) return;
  if (program_ < 0) {
    failure_ =
        make_error(ErrorKind::kInvariant, fmt::format("the helper program ended before it started {}; is it of this "
                                                      "build?",
                                                      spec_.program));
    return;
  }
  kill_helper();
  result_.survivors = true;
  if (!program_ended_ && !ending_) {
    result_.end = ProcessEnd::kSignalled;
    result_.signal = SIGKILL;
  }
}

// False at the end of the output.
bool Run::read_output(std::size_t most) {
  std::array<char, kPiece> bytes;
  const ssize_t got = read(output_.get(), bytes.data(), std::min(most, bytes.size()));
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  give({bytes.data(), static_cast<std::size_t>(got)});
  return got > 0;
}

// What was printed before the end is in the pipe by now. Whoever holds that open may go on printing: so much is read as
// there is at this moment, and no more.
void Run::drain() {
  int left = 0;
  if (output_ended_ || ioctl(output_.get(), FIONREAD, &left) != 0) return;
  while (left > 0) {
    const std::uint64_t before = result_.output_bytes;
    if (!read_output(static_cast<std::size_t>(left))) return;
    if (result_.output_bytes == before) return;
    left -= static_cast<int>(result_.output_bytes - before);
  }
}

void Run::give(std::string_view bytes) {
  if (bytes.empty()) return;
  tail_.add(bytes);
  const std::uint64_t given = result_.output_bytes - result_.dropped_bytes;
  result_.output_bytes += bytes.size();
  const std::string_view rest = bytes.substr(0, spec_.output_limit - given);
  if (!rest.empty() && sink_) sink_(rest);
  if (rest.size() == bytes.size()) return;
  if (result_.dropped_bytes == 0 && sink_) {
    sink_(fmt::format("\n[more than {} bytes of output; the rest is left out]\n", spec_.output_limit));
  }
  result_.dropped_bytes += bytes.size() - rest.size();
}

}  // namespace

absl::StatusOr<ProcessResult> run_process_by(const ProcessSpec& spec, const OutputSink& sink, const StopSignal& stop,
                                             const std::function<Duration()>& elapsed) {
  return Run(spec, sink, stop, elapsed).run();
}

absl::StatusOr<ProcessResult> run_process(const ProcessSpec& spec, const OutputSink& sink, const StopSignal& stop) {
  const auto start = std::chrono::steady_clock::now();
  return run_process_by(spec, sink, stop, [start] { return Duration(std::chrono::steady_clock::now() - start); });
}

}  // namespace convergence
