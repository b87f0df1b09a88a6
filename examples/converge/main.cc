// The converge command.

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "command.h"
#include "convergence/curl_transport.h"
#include "convergence/error.h"
#include "convergence/version.h"

namespace cli {
namespace {

volatile std::sig_atomic_t interrupted = 0;

constexpr const char* kOfEnvironment = "of Environment Manager's keys of this environment, in place of our own";

const std::vector<Command>& commands() {
  static const std::vector<Command> all = {
      {"plan",
       "[FILE...]",
       "show what would be done; with files, as if they were the desired state",
       {{"prune", false, "delete what is ours and not wanted"},
        {"take-foreign", false, "change entries that others own too"},
        {"detailed-exitcode", false, "exit 3 when there are changes"}},
       run_plan},
      {"apply",
       "[FILE...]",
       "write the files' documents to KV, then converge until nothing is left to do",
       {{"prune", false, "delete what is ours and not wanted"},
        {"take-foreign", false, "change entries that others own too"},
        {"max-rounds", true, "read and plan again at most so often (default 20)"}},
       run_apply},
      {"watch",
       "",
       "converge now and at every change, until interrupted",
       {{"prune", false, "delete what is ours and not wanted"},
        {"take-foreign", false, "change entries that others own too"}},
       run_watch},
      {"chain",
       "SERVICE [FILE...]",
       "show where requests to a service go; with files, compiled from their entries",
       {{"path", true, "follow one request with this path"},
        {"dot", false, "draw for Graphviz"},
        {"mermaid", false, "draw a Mermaid flowchart"},
        {"svg", false, "draw a self-contained SVG"},
        {"compile-dc", true, "compile for this datacenter (files)"},
        {"dialect", true, "1.8 or current: whose rules the files' entries follow (default 1.8)"}},
       run_chain},
      {"route",
       "SERVICE PATH [FILE...]",
       "follow one request: the route, the leg, who serves it, and why",
       {{"method", true, "of the request (default GET)"},
        {"header", true, "\"name: value\" of the request; may be given again", true},
        {"query", true, "name=value of the request, beside those of the path; may be given again", true},
        {"compile-dc", true, "compile for this datacenter (files)"},
        {"dialect", true, "1.8 or current: whose rules the files' entries follow (default 1.8)"}},
       run_route},
      {"lint",
       "[FILE...]",
       "say what is legal in the entries and hardly meant; live ones, or those of the files",
       {{"live", false, "judge the files by the instances of the live Consul"},
        {"dialect", true, "1.8 or current: whose rules the files' entries follow (default 1.8)"}},
       run_lint},
      {"pull",
       "[SERVICE...]",
       "take live entries into files, to be wanted from now on",
       {{"dir", true, "write a file for each entry there (default: all to standard output)"},
        {"force", false, "write over files that differ"}},
       run_pull},
      {"split",
       "SERVICE SUBSET=WEIGHT...",
       "move the weights of a splitter by hand, checked like a plan",
       {{"dry-run", false, "show what would be written"},
        {"force", false, "also onto subsets without a healthy instance"},
        {"take-foreign", false, "also an entry that somebody else looks after"}},
       run_split},
      {"undo",
       "FILE",
       "take back a plan of entries that was carried out, as --json printed it",
       {{"dry-run", false, "show what would be written"}},
       run_undo},
      {"import",
       "FILE",
       "documents of others as ours: entries, consul-k8s resources, Flagger's Canary; and what became of each field",
       {{"format", true, "auto, json, hcl or yaml (default auto)"},
        {"stable-subset", true, "of rollouts whose documents know no subsets (default primary)"},
        {"candidate-subset", true, "the same (default canary)"}},
       run_import},
      {"rollout",
       "start|status|history|pause|resume|approve|promote|abort|retry SERVICE, replay FILE, or list",
       "roll a version out by canary",
       {{"policy", true, "file of the policy (start; replay: what it would have done)"},
        {"revision", true, "the version that the candidate subset runs (start)"},
        {"id", true, "id of the rollout (start; default <service>-<revision>)"},
        {"journal", true, "file that is given every step, for replay (start)"},
        {"metrics", true, "prometheus=URL, envoy=URL,... or haproxy=URL,...: who counts requests and failures (start)"},
        {"counters", true,
         "names of the counters: envoy, envoy-1.8, haproxy or haproxy-server (start; default by --metrics, envoy of a "
         "Prometheus)"},
        {"scrape-interval", true, "of the Prometheus (start; default 15s)"},
        {"metrics-command", true, "program that prints the evidence of a window, in place of --metrics (start)"},
        {"actor", true, "who commands (default: the user)"},
        {"reason", true, "why"}},
       run_rollout},
      {"agent",
       "",
       "deploy to this node what is wanted of its role, until interrupted",
       {{"role", true, "role of this node (CONVERGENCE_ROLE; needed)"},
        {"environment", true, "read Environment Manager's keys of this environment in place of our own documents"},
        {"environment-manager", false, "the same, of the environment that is found as the role is"},
        {"environment-type", true, "(CONVERGENCE_ENVIRONMENT_TYPE)"},
        {"cluster", true, "who owns this node (CONVERGENCE_CLUSTER)"},
        {"instance", true, "name of this node in reports (CONVERGENCE_INSTANCE; default its name in Consul)"},
        {"identity-file", true, "file of NAME=value lines that has what neither flags nor variables say"},
        {"ec2", false, "ask EC2's metadata service for the rest: the instance id, and its tags"},
        {"ec2-endpoint", true, "host:port of another metadata service"},
        {"readiness-file", true, "begin when this file says ok"},
        {"readiness-deadline", true, "how long to wait for that (default 30m)"},
        {"readiness-late", true, "stop or go: what to do when it has passed (default stop)"},
        {"no-standby", false, "keep no check of the node that takes it out of traffic when a key says so"},
        {"sensu-folder", true, "write files for Sensu's checks here (default: none are written)"},
        {"sensu-plugins", true, "folder where such checks find their programs; may be given again", true},
        {"journal", true, "file for all that the agent is told and does, for converge replay"},
        {"journal-max-mb", true, "megabytes at which the journal begins anew (default 64)"},
        {"folder", true, "the agent's own folder (default /var/lib/convergence)"},
        {"allow-root", true, "folder below which packages may put files (default /opt and /srv)", true},
        {"s3-endpoint", true,
         "http(s)://host:port of another object store than Amazon's; keys come from AWS_* variables"},
        {"ship-logs", true, "folder or s3://bucket/prefix where the log of each deployment lies once it has ended"},
        {"secret-file", true, "its lines are kept out of logs and reports", true},
        {"secret-variable", true, "of a release, whose value is kept out of logs and reports", true},
        {"min-free-mb", true, "megabytes of disk that stay free (default 2000)"}},
       run_agent},
      {"deploy",
       "SERVICE VERSION",
       "want another version of a service; its agents bring it wave by wave",
       {
           {"file", true, "document of the service, for a new one or with more changes than the version"},
           {"package", true, "file, http(s):// or s3:// address of the version's archive"},
           {"sha256", true, "of the archive; found by itself for a file"},
           {"size", true, "bytes of the archive"},
           {"packages", true,
            "folder, http(s):// or s3:// address below which the version's archive is looked for; may be given again",
            true},
           {"s3-endpoint", true,
            "http(s)://host:port of another object store than Amazon's; keys come from AWS_* variables"},
           {"deployment", true, "id of this deployment (default VERSION@generation)"},
           {"again", false, "also when this version is wanted already"},
           {"wait", false, "tell how it goes until it has ended; exit 1 when it was taken back"},
           {"timeout", true, "of --wait (default 1h)"},
           {"environment", true, kOfEnvironment},
           {"dry-run", false, "show what would be written"},
           {"actor", true, "who asks (default: the user)"},
           {"reason", true, "why"},
       },
       run_deploy},
      {"status",
       "[SERVICE...]",
       "how far each service has come on each of its nodes",
       {{"environment", true, kOfEnvironment}},
       run_status},
      {"diff",
       "[SERVICE...]",
       "instances that are missing, behind, ill, ignored, unexpected",
       {{"detailed-exitcode", false, "exit 3 when there are differences"}, {"environment", true, kOfEnvironment}},
       run_diff},
      {"cancel",
       "SERVICE",
       "take back the version that is on its way",
       {
           {"environment", true, kOfEnvironment},
           {"dry-run", false, "show what would be written"},
           {"actor", true, "who asks (default: the user)"},
           {"reason", true, "why"},
       },
       run_cancel},
      {"toggle",
       "SERVICE on|off",
       "have agents look after a service, or leave it as it is",
       {{"environment", true, kOfEnvironment}, {"dry-run", false, "show what would be written"}},
       run_toggle},
      {"switch",
       "SERVICE [blue|green|back]",
       "give all traffic of a service to one of its slices, once every instance of it passes (default: the other one)",
       {
           {"wait", false, "until its instances pass"},
           {"timeout", true, "of waiting (default 10m)"},
           {"force", false, "whatever its instances are like; needs a reason"},
           {"take-foreign", false, "also where somebody else looks after the service's resolver"},
           {"dry-run", false, "show what would be written"},
           {"actor", true, "who asks (default: the user)"},
           {"reason", true, "why"},
       },
       run_switch},
      {"upstreams",
       "SERVICE",
       "where the traffic of a service goes: host:port of the instances that have it, for a load balancer",
       {{"all", false, "the others too, and how they stand"}},
       run_upstreams},
      {"undeploy",
       "SERVICE",
       "have agents take a service off their nodes",
       {{"forget", false, "delete what is wanted of it instead; what runs is left as it is"},
        {"environment", true, kOfEnvironment},
        {"dry-run", false, "show what would be written"},
        {"actor", true, "who asks (default: the user)"}},
       run_undeploy},
      {"logs",
       "NODE [SERVICE...]",
       "the last lines of a node's deployments",
       {{"all", false, "of every deployment that is known (default: the latest of each service)"},
        {"environment", true, kOfEnvironment}},
       run_logs},
      {"history",
       "[SERVICE...]",
       "deployments, the latest first",
       {{"most", true, "so many at most (default 20)"},
        {"log", false, "with what deploy --wait has told of them"},
        {"environment", true, kOfEnvironment}},
       run_history},
      {"collect",
       "",
       "delete what deployments that ended have left in KV, but for what is wanted, known to be good or running",
       {{"older-than", true, "without a sign for so long (default 30d)"},
        {"environment", true, kOfEnvironment},
        {"dry-run", false, "show what would go"}},
       run_collect},
      {"lock",
       "on|off",
       "have agents begin no deployment, everywhere or where a flag says",
       {
           {"role", true, "only on nodes of this role"},
           {"node", true, "only on this node"},
           {"dry-run", false, "change nothing"},
           {"actor", true, "who asks (default: the user)"},
           {"reason", true, "why"},
       },
       run_lock},
      {"maintenance",
       "NODE on|off",
       "take a node out of traffic, or back",
       {{"environment-manager", false, "by the key that Environment Manager uses"},
        {"dry-run", false, "change nothing"},
        {"reason", true, "why"}},
       run_maintenance},
      {"policy",
       "agent|operator",
       "print the least ACL rules that an agent or an operator needs",
       {{"role", true, "of this role only"},
        {"node", true, "on this node only (agent)"},
        {"service", true, "registering (agent) or switching (operator) this service only; may be given again", true},
        {"environment", true, "with Environment Manager's keys of this environment"}},
       run_policy},
      {"simulate",
       "[POLICY-FILE]",
       "what a canary policy does with a service like yours, in many made-up rollouts",
       {{"scenario", true,
         "a file with the service, and with what is wrong with its canary (default: the usual faults)"},
        {"rps", true, "requests a second of the service (default 50)"},
        {"error-rate", true, "share of them that fails today (default 0.001)"},
        {"runs", true, "rollouts of each kind (default 500)"},
        {"seed", true, "of the random numbers (default 1)"},
        {"peers", false, "beside it the rules of Flagger, consul-release-controller and Argo Rollouts"}},
       run_simulate},
      {"replay",
       "FILE",
       "go through an agent's journal again, and say where it would do otherwise now",
       {},
       run_replay},
      {"dev",
       "",
       "serve the embedded Consul on loopback until interrupted",
       {{"port", true, "port to listen on (default 8500; 0 takes a free one)"}},
       run_dev},
  };
  return all;
}

std::string usage() {
  std::string text = "usage: converge COMMAND [OPTIONS] ...\n\n";
  for (const Command& command : commands()) {
    text += fmt::format("  {:11} {}\n", command.name, command.help);
  }
  return text +
         "\nconverge COMMAND --help says more. Exit: 0 done or no change, 1 failed, 2 bad usage or input,\n"
         "3 there are changes (plan --detailed-exitcode).\n";
}

std::string usage(const Command& command) {
  std::string text =
      fmt::format("usage: converge {} [OPTIONS] {}\n\n{}\n\n", command.name, command.synopsis, command.help);
  for (const std::vector<Flag>* flags : {&command.flags, &common_flags()}) {
    for (const Flag& flag : *flags) {
      text += fmt::format("  --{:22} {}\n", std::string(flag.name) + (flag.takes_value ? "=..." : ""), flag.help);
    }
  }
  return text;
}

int run(const std::vector<std::string>& words) {
  if (words.empty()) {
    std::fputs(usage().c_str(), stderr);
    return kBadInput;
  }
  if (words[0] == "--help" || words[0] == "-help" || words[0] == "help") {
    std::fputs(usage().c_str(), stdout);
    return kDone;
  }
  if (words[0] == "--version" || words[0] == "version") {
    std::printf("converge %d.%d.%d\n", CVG_VERSION_MAJOR, CVG_VERSION_MINOR, CVG_VERSION_PATCH);
    return kDone;
  }
  for (const Command& command : commands()) {
    if (command.name != words[0]) continue;
    std::vector<Flag> flags = command.flags;
    flags.insert(flags.end(), common_flags().begin(), common_flags().end());
    const std::vector<std::string> rest(words.begin() + 1, words.end());
    absl::StatusOr<Arguments> arguments = parse_arguments(rest, flags);
    Output output(arguments.ok() && arguments->has("json"), isatty(STDOUT_FILENO) != 0);
    if (!arguments.ok()) return output.fail(arguments.status(), kBadInput);
    if (arguments->has("help")) {
      std::fputs(usage(command).c_str(), stdout);
      return kDone;
    }
    return command.run(*arguments, output);
  }
  std::fprintf(stderr, "converge: %s: unknown command\n\n%s", words[0].c_str(), usage().c_str());
  return kBadInput;
}

}  // namespace

bool stop_requested() { return interrupted != 0; }

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = [](int) { interrupted = 1; };
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

void Output::clear_progress() {
  if (open_) std::fputs("\r\033[K", stdout);
  open_ = false;
}

void Output::say(std::string_view line) {
  if (json_) return;
  clear_progress();
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fputc('\n', stdout);
  std::fflush(stdout);
}

void Output::progress(std::string_view line) {
  if (json_) return;
  if (!terminal_) return say(line);
  std::fputs("\r\033[K", stdout);
  std::fwrite(line.data(), 1, line.size(), stdout);
  std::fflush(stdout);
  open_ = true;
}

void Output::document(const convergence::Json& json) {
  std::fputs((convergence::to_pretty_text(json) + "\n").c_str(), stdout);
  std::fflush(stdout);
}

int Output::fail(const absl::Status& status, int code) {
  clear_progress();
  if (json_) {
    document(convergence::Json().set("error", convergence::Json()
                                                  .set("code", convergence::error_code_name(status))
                                                  .set("kind", to_string(convergence::error_kind(status)))
                                                  .set("message", std::string(status.message()))
                                                  .set("detail", convergence::error_detail(status))));
  }
  std::fprintf(stderr, "converge: %s\n", std::string(status.message()).c_str());
  return code;
}

int Output::fail(const absl::Status& status) {
  switch (convergence::error_kind(status)) {
    case convergence::ErrorKind::kDecode:
    case convergence::ErrorKind::kValidate:
    case convergence::ErrorKind::kGraph:
    case convergence::ErrorKind::kFilter:
    case convergence::ErrorKind::kUsage:
      return fail(status, kBadInput);
    default:
      return fail(status, kFailed);
  }
}

std::string prefix_of(const Arguments& arguments) { return arguments.get("prefix", convergence::kDefaultPrefix); }

std::string actor_of(const Arguments& arguments) {
  const char* user = std::getenv("USER");
  return arguments.get("actor", user == nullptr ? "" : user);
}

absl::StatusOr<Session> connect(const Arguments& arguments) {
  const Environment environment = [](const char* name) { return std::getenv(name); };
  absl::StatusOr<convergence::CurlOptions> options = connection_options(arguments, environment);
  if (!options.ok()) return options.status();
  Session session;
  session.executor = convergence::new_loop_executor();
  auto transport = convergence::new_curl_transport(*session.executor, *options);
  if (!transport.ok()) return transport.status();
  session.transport = *std::move(transport);
  session.client = std::make_unique<convergence::ConsulClient>(*session.executor, *session.transport);
  session.read = read_options(arguments, environment);
  session.prefix = prefix_of(arguments);
  return session;
}

}  // namespace cli

int main(int argc, char** argv) { return cli::run(std::vector<std::string>(argv + 1, argv + argc)); }
