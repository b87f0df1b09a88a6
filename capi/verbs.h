#ifndef CONVERGENCE_CAPI_VERBS_H_
#define CONVERGENCE_CAPI_VERBS_H_

#include <functional>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "capi/reader.h"
#include "convergence/consul_client.h"
#include "convergence/json.h"

namespace convergence::capi {

// The calls that cvg_client_begin knows by name. `arguments` has passed check_members() when a verb starts.

using JsonCallback = ConsulClient::Callback<Json>;
using AnswerCallback = ConsulClient::Callback<Answer<Json>>;

// A read may become a watch: it takes its wait index from the options.
struct ReadVerb {
  std::string_view name;
  std::span<const Parameter> parameters;
  void (*start)(ConsulClient& client, const Json& arguments, const ReadOptions& options, AnswerCallback done);
};

// Everything else answers once. One that turns out to be malformed (an entry that is none) completes with the error.
struct CallVerb {
  std::string_view name;
  std::span<const Parameter> parameters;
  void (*start)(ConsulClient& client, const Json& arguments, const WriteOptions& options, JsonCallback done);
};

std::span<const ReadVerb> read_verbs();
std::span<const CallVerb> call_verbs();
// read_desired, read_catalog, apply_plan, converge_once.
std::span<const CallVerb> driver_verbs();

// Members that every read and every write takes beside its own.
std::span<const Parameter> read_parameters();
std::span<const Parameter> write_parameters();
ReadOptions read_options(const Json& arguments);
WriteOptions write_options(const Json& arguments);

}  // namespace convergence::capi

#endif  // CONVERGENCE_CAPI_VERBS_H_
