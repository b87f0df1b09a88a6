// An agent in a process of its own, on a made-up node: agent_process ADDRESS FOLDER ROLE NODE KILL
// What it has done to its node stands in FOLDER/NODE.json and outlives it. The first time that it comes to the point
// KILL ("after swap", "before remember swap"; "-": never) it ends itself by SIGKILL.
#include <csignal>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>

#include "convergence/agent_driver.h"
#include "convergence/codec.h"
#include "convergence/curl_transport.h"
#include "convergence/error.h"

namespace convergence {
namespace {

class FileNode final : public NodeHands {
 public:
  FileNode(Executor& executor, std::string path, std::string kill)
      : executor_(executor), path_(std::move(path)), kill_(std::move(kill)) {
    std::ifstream file(path_);
    const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
    if (!text.empty()) state_ = *parse_json(text, path_);
  }

  AgentMemory memory() const {
    const Json* memory = state_.find("memory");
    return memory ? *from_json<AgentMemory>(*memory, path_) : AgentMemory();
  }

  absl::Status remember(const AgentMemory& memory) override {
    const std::string what = "remember " + std::string(memory.task ? to_string(memory.task->stage) : "end");
    at("before " + what);
    state_.set("memory", to_json(memory));
    write();
    at("after " + what);
    return absl::OkStatus();
  }

  void at(std::string_view point) const {
    if (point == kill_) std::raise(SIGKILL);
  }

  void carry_out(const Work& work, Done done) override {
    WorkDone out;
    out.id = work.id;
    const std::string& deployment = work.subject.deployment;
    switch (work.stage) {
      case Stage::kCheckNode:
        out.facts = NodeFacts{1000, 1000, ""};
        break;
      case Stage::kCheckPackage:
        out.spec = AppSpec();
        break;
      case Stage::kPlaceAside:
        out.undo = Json(get("files"));
        break;
      case Stage::kStop:
      case Stage::kBackStop:
        if (get("running") == deployment) put("running", "");
        break;
      case Stage::kSwap:
        put("files", deployment);
        break;
      case Stage::kBackSwap:
        put("files", *work.subject.undo.as_string());
        break;
      case Stage::kStart:
      case Stage::kBackStart:
        if (get("running") == deployment) break;
        state_.set("started", get("started") + deployment + " ");
        put("running", deployment);
        break;
      default:
        break;
    }
    executor_.post([out = std::move(out), done = std::move(done)] { done(out); });
  }
  void stop(std::uint64_t) override {}
  std::vector<std::string> damaged(const AgentMemory&) override { return {}; }
  std::string package_folder(const std::string&, const Installed&) override { return "/"; }
  std::vector<std::string> log_tail(const std::string&, const std::string&) override { return {}; }

 private:
  std::string get(const char* name) const {
    const Json* value = state_.find(name);
    return value ? *value->as_string() : "";
  }
  void put(const char* name, const std::string& value) {
    state_.set(name, value);
    write();
  }
  void write() const {
    const std::string next = path_ + ".next";
    std::ofstream(next) << to_text(state_);
    std::rename(next.c_str(), path_.c_str());
  }

  Executor& executor_;
  const std::string path_;
  const std::string kill_;
  Json state_{Json::Object()};
};

int run(const std::string& address, const std::string& folder, const std::string& role, const std::string& name,
        const std::string& kill) {
  const std::unique_ptr<LoopExecutor> executor = new_loop_executor();
  CurlOptions curl;
  curl.address = address;
  absl::StatusOr<std::unique_ptr<Transport>> transport = new_curl_transport(*executor, curl);
  if (!transport.ok()) return 1;
  ConsulClient client(*executor, **transport);
  FileNode hands(*executor, folder + "/" + name + ".json", kill);
  AgentOptions options;
  options.role = role;
  Node node;
  node.name = name;
  node.address = "127.0.0.1";
  node.meta = {{"role", role}};
  options.catalog_node = node;
  options.config.await_poll = std::chrono::milliseconds(100);
  options.config.retry = std::chrono::milliseconds(300);
  options.config.fleet_poll = std::chrono::milliseconds(300);
  options.session_ttl = std::chrono::seconds(10);
  options.lock_delay = std::chrono::seconds(1);
  options.report_pause = std::chrono::milliseconds(20);
  options.probe = [&](std::string_view point) { hands.at(point); };
  AgentDriver driver(client, hands, hands.memory(), options);
  bool ended = false;
  driver.run([&](const absl::Status& status) {
    std::fprintf(stderr, "%s\n", status.ToString().c_str());
    ended = true;
  });
  while (!ended) executor->poll(std::chrono::minutes(1));
  return 1;
}

}  // namespace
}  // namespace convergence

int main(int argc, char** argv) {
  if (argc != 6) return 2;
  return convergence::run(argv[1], argv[2], argv[3], argv[4], argv[5]);
}
