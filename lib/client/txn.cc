#include <fmt/format.h>

#include <utility>
#include <vector>

#include "convergence/consul_client.h"
#include "convergence/error.h"
#include "lib/client/requests.h"

namespace convergence {
namespace {

// 409: the server has looked at the operations and done none of them.
bool tells_failures(const HttpResponse& response) { return response.status == 409; }

absl::StatusOr<TxnFailure> read_failure(const Json& item) {
  CVG_ASSIGN_OR_RETURN(const Json* index, read_member(item, "OpIndex"));
  CVG_ASSIGN_OR_RETURN(const Json* what, read_member(item, "What"));
  TxnFailure failure;
  const std::optional<std::uint64_t> operation = index->to_uint64();
  if (!operation) return make_error(ErrorKind::kDecode, "answer: OpIndex is not an index");
  failure.operation = *operation;
  CVG_ASSIGN_OR_RETURN(failure.what, read_string(*what));
  return failure;
}

absl::StatusOr<TxnResult> read_result(const HttpResponse& response) {
  CVG_ASSIGN_OR_RETURN(const Json body, read_body(response));
  CVG_ASSIGN_OR_RETURN(const Json* results, read_member(body, "Results"));
  CVG_ASSIGN_OR_RETURN(const Json* errors, read_member(body, "Errors"));
  TxnResult result;
  CVG_ASSIGN_OR_RETURN(const Json::Array* items, read_array(*results));
  result.results = *items;
  CVG_ASSIGN_OR_RETURN(result.failures, read_each<TxnFailure>(*errors, read_failure));
  if (tells_failures(response) == result.failures.empty()) {
    return make_error(ErrorKind::kDecode, "answer: status and \"Errors\" disagree");
  }
  return result;
}

}  // namespace

void ConsulClient::txn(const std::vector<TxnOperation>& operations, const WriteOptions& options,
                       Callback<TxnResult> done) {
  Json::Array body;
  for (const TxnOperation& operation : operations) body.push_back(operation.operation);
  Call call = write_call("PUT", Target("/v1/txn").options(options), to_text(Json(std::move(body))), options);
  call.also = tells_failures;
  if (operations.size() > kMaxTxnOperations) {
    call.problem = make_error(ErrorKind::kUsage, fmt::format("transaction: {} operations; at most {} go into one",
                                                             operations.size(), kMaxTxnOperations));
  }
  start<TxnResult>(*impl_, std::move(call), std::function(read_result), std::move(done));
}

}  // namespace convergence
