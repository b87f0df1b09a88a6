#include "convergence/linux_hands.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <optional>
#include <utility>

#include "convergence/codec.h"
#include "convergence/error.h"
#include "convergence/node.h"
#include "convergence/node_facts.h"
#include "lib/base/status_macros.h"
#include "lib/hands/collect.h"
#include "lib/hands/memory_file.h"
#include "lib/hands/package_folder.h"
#include "lib/hands/secrets.h"
#include "lib/hands/sensu_files.h"
#include "lib/hands/ship_log.h"

namespace convergence {
namespace {

using hands::PackageFolder;

constexpr std::size_t kTailLines = 20;

WorkDone done_with(const Work& work, const absl::Status& status) {
  WorkDone done;
  done.id = work.id;
  done.ok = status.ok();
  done.problem = std::string(status.message());
  return done;
}

// What carries out one stage, on the worker's thread. Knows nothing but its options and the disk.
class StageRun {
 public:
  StageRun(const LinuxHandsOptions& options, const Work& work, Duration left)
      : options_(options), work_(work), left_(left) {}

  WorkDone run(const StopSignal& stop) {
    WorkDone done = done_with(work_, absl::OkStatus());
    absl::Status status = open();
    if (status.ok()) status = dispatch(done, stop);
    if (!status.ok()) {
      done = done_with(work_, status);
      if (!cut_.ok()) done.problem += fmt::format("; its log is cut: {}", std::string(cut_.message()));
      done.problem = hands::without_secrets(done.problem, log_options_.secrets);  // it goes into reports
      say(fmt::format("{}: {}", to_string(work_.stage), std::string(status.message())));
    }
    return done;
  }

 private:
  absl::Status open() {
    CVG_ASSIGN_OR_RETURN(folder_, hands::package_folder(options_, work_.service_id, work_.subject.deployment));
    CVG_RETURN_IF_ERROR(hands::make_folders(folder_.logs()));
    log_options_ = options_.log;
    log_options_.secrets = hands::secrets_of(options_, work_.subject.release);
    CVG_ASSIGN_OR_RETURN(log_, DeploymentLog::open(folder_.log(), log_options_));
    say(fmt::format("== {} {} {}", to_string(work_.stage), work_.service_id, work_.subject.deployment));
    return absl::OkStatus();
  }

  void say(const std::string& line) {
    if (log_) keep(log_->write(line + "\n"));
  }

  // A log that cannot be written stops nothing; that it is cut is told with what fails.
  void keep(const absl::Status& written) {
    if (cut_.ok()) cut_ = written;
  }

  absl::Status dispatch(WorkDone& done, const StopSignal& stop) {
    switch (work_.stage) {
      case Stage::kCheckNode:
        return check_node(done);
      case Stage::kFetch:
        return fetch(done, stop);
      case Stage::kUnpack:
        return unpack(stop);
      case Stage::kCheckPackage:
        return check(done);
      case Stage::kPlaceAside:
        return place_aside(done, stop);
      case Stage::kSwap:
        return swap();
      case Stage::kBackSwap:
        return swap_to(work_.subject.undo);
      case Stage::kRemove:
        return remove();
      default:
        return run_hooks(stop);
    }
  }

  absl::Status check_node(WorkDone& done) {
    NodeFacts facts;
    CVG_ASSIGN_OR_RETURN(facts.disk_free, free_disk(options_.folder));
    if (facts.disk_free < options_.min_free_disk) {
      return make_error(ErrorKind::kTooLarge, fmt::format("{} bytes of disk are free, {} have to stay so",
                                                          facts.disk_free, options_.min_free_disk));
    }
    CVG_ASSIGN_OR_RETURN(facts.memory_free, available_memory());
    if (work_.subject.release.port > 0) {
      CVG_ASSIGN_OR_RETURN(const auto holders, port_holders(static_cast<std::uint16_t>(work_.subject.release.port)));
      facts.port_taken_by = describe(holders);
    }
    done.facts = facts;
    return absl::OkStatus();
  }

  FetchOptions fetch_options() const {
    FetchOptions options;
    options.cache = options_.folder + "/cache";
    options.http = options_.http;
    return options;
  }

  absl::Status fetch(WorkDone& done, const StopSignal& stop) {
    CVG_ASSIGN_OR_RETURN(const FetchedPackage fetched,
                         fetch_package(work_.subject.release.package, fetch_options(), {}, stop));
    done.digest = fetched.sha256;
    say(fmt::format("{} bytes, sha256 {}{}", fetched.size, fetched.sha256,
                    work_.subject.release.package.sha256.empty() ? " (nothing to compare it with)" : ""));
    return absl::OkStatus();
  }

  // Out of the cache, where kFetch has put it under its digest.
  absl::Status unpack(const StopSignal& stop) {
    CVG_ASSIGN_OR_RETURN(const FetchedPackage fetched,
                         fetch_package(work_.subject.release.package, fetch_options(), {}, stop));
    CVG_RETURN_IF_ERROR(remove_tree(folder_.archive(), hands::deployments_folder(options_)));
    CVG_ASSIGN_OR_RETURN(const Manifest manifest,
                         unpack_archive(fetched.path, folder_.archive(), options_.unpack, stop));
    return hands::write_manifest(folder_, manifest);
  }

  absl::Status check(WorkDone& done) {
    CVG_ASSIGN_OR_RETURN(done.spec, hands::read_package(options_, folder_, work_.service_id, work_.subject));
    return absl::OkStatus();
  }

  absl::StatusOr<InstallPlan> plan() const {
    return hands::plan_of(options_, folder_, work_.subject.spec, work_.subject.deployment);
  }

  absl::Status place_aside(WorkDone& done, const StopSignal& stop) {
    CVG_ASSIGN_OR_RETURN(const InstallPlan plan, this->plan());
    CVG_ASSIGN_OR_RETURN(done.undo, describe_undo(plan));
    return stage_install(plan, folder_.archive(), stop);
  }

  absl::Status swap() {
    CVG_ASSIGN_OR_RETURN(const InstallPlan plan, this->plan());
    return swap_in(plan);
  }

  absl::Status swap_to(const Json& undo) {
    CVG_ASSIGN_OR_RETURN(const InstallPlan plan, this->plan());
    CVG_RETURN_IF_ERROR(swap_back(plan, undo));
    return discard_staged(plan, undo);
  }

  absl::Status remove() {
    CVG_ASSIGN_OR_RETURN(const InstallPlan plan, this->plan());
    Json::Array trees;
    for (const PlannedTree& tree : plan.trees) {
      Json one;
      one.set("destination", tree.destination).set("was", "nothing");
      trees.push_back(std::move(one));
    }
    Json nothing;
    nothing.set("trees", Json(std::move(trees))).set("made", Json(Json::Array()));
    CVG_RETURN_IF_ERROR(swap_to(nothing));
    log_.reset();
    return remove_tree(folder_.path, hands::deployments_folder(options_));
  }

  // environment-manager.md 2.6; nothing of the agent's own environment (W-A13).
  std::map<std::string, std::string> environment() const {
    const Installed& subject = work_.subject;
    std::map<std::string, std::string> out = subject.release.environment;
    out.emplace("PATH", options_.path);
    out["APPLICATION_ID"] = work_.service_id;
    out["DEPLOYMENT_BASE_DIR"] = folder_.archive();
    out["DEPLOYMENT_ID"] = subject.deployment;
    out["LIFECYCLE_EVENT"] = std::string(to_string(work_.event));
    out["EM_SERVICE_SLICE"] = std::string(to_string(subject.slice));
    out["EM_SERVICE_NAME"] = work_.service_id;
    out["EM_SERVICE_PORT"] = fmt::format("{}", subject.release.port);
    out["EM_SERVICE_VERSION"] = subject.release.version;
    return out;
  }

  absl::Status run_hooks(const StopSignal& stop) {
    for (const Hook& hook : work_.hooks) {
      ProcessSpec spec;
      spec.program = fmt::format("{}/{}", folder_.archive(), hook.location);
      spec.environment = environment();
      spec.directory = folder_.archive();
      spec.user = hook.run_as;
      spec.limits = options_.limits;
      spec.timeout = hook.timeout == Duration::zero() ? left_ : std::min(hook.timeout, left_);
      spec.grace = options_.grace;
      spec.keep_children = true;  // a service's daemon stays
      spec.helper = options_.spawn_helper;
      say(fmt::format("-- {} {}", to_string(work_.event), hook.location));
      CVG_ASSIGN_OR_RETURN(const ProcessResult result,
                           run_process(
                               spec, [this](std::string_view bytes) { keep(log_->write(bytes)); }, stop));
      keep(log_->flush());
      if (!result.succeeded()) {
        return make_error(ErrorKind::kRefused, fmt::format("{}: {}", hook.location, describe(result)));
      }
    }
    return absl::OkStatus();
  }

  const LinuxHandsOptions& options_;
  const Work& work_;
  const Duration left_;  // of the deadline
  PackageFolder folder_{};
  LogOptions log_options_{};
  std::unique_ptr<DeploymentLog> log_;
  absl::Status cut_;
};

// Held while it lives; the kernel lets it go when the process ends, however that is.
class FolderLock {
 public:
  static absl::StatusOr<std::unique_ptr<FolderLock>> take(const std::string& folder) {
    const std::string path = folder + "/lock";
    auto lock = std::make_unique<FolderLock>(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (lock->descriptor_ < 0) {
      return make_error(ErrorKind::kRefused, fmt::format("{}: {}", path, std::strerror(errno)));
    }
    if (flock(lock->descriptor_, LOCK_EX | LOCK_NB) == 0) return lock;
    return make_error(ErrorKind::kConflict, fmt::format("agent folder {}: another agent has it", folder));
  }
  explicit FolderLock(int descriptor) : descriptor_(descriptor) {}
  ~FolderLock() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  const int descriptor_;
};

class LinuxHands final : public NodeHands {
 public:
  LinuxHands(Executor& executor, LinuxHandsOptions options, std::unique_ptr<FolderLock> lock)
      : executor_(executor), options_(std::move(options)), lock_(std::move(lock)), worker_(executor) {
    if (!options_.ship_logs.empty()) shipper_.emplace(executor);
  }

  void carry_out(const Work& work, Done done) override {
    const Duration left = work.deadline == kNever ? std::chrono::hours(24)
                                                  : std::max<Duration>(work.deadline - executor_.now(), Duration(1));
    std::function<absl::StatusOr<WorkDone>(const StopSignal&)> run = [options = options_, work,
                                                                      left](const StopSignal& stop) {
      return absl::StatusOr<WorkDone>(StageRun(options, work, left).run(stop));
    };
    running_[work.id] = worker_.submit<WorkDone>(
        std::move(run), [this, work, alive = std::weak_ptr<int>(alive_), done = std::move(done)](auto answer) {
          if (alive.expired() || running_.erase(work.id) == 0) return;  // stopped: nobody waits for it
          done(answer.ok() ? *std::move(answer) : done_with(work, answer.status()));
        });
  }

  void stop(std::uint64_t work) override {
    auto found = running_.find(work);
    if (found == running_.end()) return;
    worker_.stop(found->second);
    running_.erase(found);
  }

  absl::Status remember(const AgentMemory& memory) override {
    return hands::write_memory(options_.folder, to_text(to_json(memory)));
  }

  absl::Status announce(const Work& work) override {
    switch (work.stage) {
      case Stage::kRegister:
        return hands::put_sensu_files(options_, work.service_id, work.subject);
      case Stage::kDeregister:
        return hands::remove_sensu_files(options_, work.service_id);
      // What ran has to come back whatever Sensu's folder is like; the next look at the node tries it again.
      case Stage::kBackRegister:
        (void)hands::put_sensu_files(options_, work.service_id, work.subject);
        return absl::OkStatus();
      case Stage::kBackDeregister:
        (void)hands::remove_sensu_files(options_, work.service_id);
        return absl::OkStatus();
      default:
        return absl::OkStatus();
    }
  }

  std::vector<std::string> damaged(const AgentMemory& memory) override {
    hands::mend_sensu_files(options_, memory);
    std::vector<std::string> out;
    for (const auto& [id, installed] : memory.installed) {
      if (!installed.release.package.source.empty() && !stands(id, installed).ok()) out.push_back(id);
    }
    return out;
  }

  // On the worker, behind what it has to do; nobody waits for it.
  void collect(const Collect& stays) override {
    worker_.submit<bool>(
        [options = options_, stays](const StopSignal&) {
          hands::collect(options, stays);
          return absl::StatusOr<bool>(true);
        },
        [](const absl::StatusOr<bool>&) {});
  }

  // On a thread of its own: what is far away and slow holds up no deployment.
  void ship_log(const EndedLog& log, Shipped done) override {
    if (!shipper_) return done(std::string());
    shipper_->submit<std::string>(
        [options = options_, log](const StopSignal& stop) { return hands::ship_log(options, log, stop); },
        [alive = std::weak_ptr<int>(alive_), done = std::move(done)](const absl::StatusOr<std::string>& place) {
          if (!alive.expired()) done(place);
        });
  }

  void log_told(const EndedLog& log) override { hands::log_told(options_, log); }

  std::string package_folder(const std::string& service_id, const Installed& installed) override {
    const auto folder = hands::package_folder(options_, service_id, installed.deployment);
    return folder.ok() ? folder->archive() : options_.folder;
  }

  std::vector<std::string> log_tail(const std::string& service_id, const std::string& deployment) override {
    const absl::StatusOr<PackageFolder> folder = hands::package_folder(options_, service_id, deployment);
    if (!folder.ok()) return {};
    return tail_of_log(folder->log(), kTailLines).value_or(std::vector<std::string>());
  }

 private:
  absl::Status stands(const std::string& id, const Installed& installed) const {
    CVG_ASSIGN_OR_RETURN(const PackageFolder folder, hands::package_folder(options_, id, installed.deployment));
    CVG_ASSIGN_OR_RETURN(const InstallPlan plan,
                         hands::plan_of(options_, folder, installed.spec, installed.deployment));
    return installed_as_planned(plan);
  }

  Executor& executor_;
  const LinuxHandsOptions options_;
  const std::unique_ptr<FolderLock> lock_;
  std::map<std::uint64_t, NodeWorker::WorkId> running_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  NodeWorker worker_;  // these last: their ends wait for what runs
  std::optional<NodeWorker> shipper_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<NodeHands>> new_linux_hands(Executor& executor, LinuxHandsOptions options) {
  if (!options.folder.starts_with('/') || options.folder.size() < 2 || options.folder.ends_with('/')) {
    return make_error(
        ErrorKind::kUsage,
        fmt::format("agent folder \"{}\": must be an absolute path without a slash at its end", options.folder));
  }
  if (!options.sensu_folder.empty() && !hands::is_folder(options.sensu_folder)) {
    return make_error(ErrorKind::kUsage, fmt::format("Sensu folder \"{}\": is not there", options.sensu_folder));
  }
  if (!options.ship_logs.empty()) CVG_RETURN_IF_ERROR(hands::check_ship_logs(options.ship_logs));
  CVG_ASSIGN_OR_RETURN(options.log.secrets, hands::first_secrets(options));
  CVG_RETURN_IF_ERROR(hands::make_folders(hands::deployments_folder(options)));
  CVG_RETURN_IF_ERROR(hands::make_folders(options.folder + "/cache"));
  CVG_ASSIGN_OR_RETURN(std::unique_ptr<FolderLock> lock, FolderLock::take(options.folder));
  return std::make_unique<LinuxHands>(executor, std::move(options), std::move(lock));
}

absl::StatusOr<AgentMemory> read_agent_memory(const std::string& folder) {
  const std::string path = hands::memory_path(folder);
  if (!hands::is_file(path)) return AgentMemory();
  CVG_ASSIGN_OR_RETURN(const std::string text, read_file(path));
  return parse<AgentMemory>(text, path);
}

}  // namespace convergence
