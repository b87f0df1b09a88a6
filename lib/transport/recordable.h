#ifndef CONVERGENCE_LIB_TRANSPORT_RECORDABLE_H_
#define CONVERGENCE_LIB_TRANSPORT_RECORDABLE_H_

#include "absl/status/statusor.h"
#include "convergence/transport.h"
#include "convergence/transport_decorators.h"

namespace convergence {

// The request as a recording may hold it: no token in headers or target, no body where ACL tokens travel; deadline and
// cap are the caller's affair and no part of what was said.
HttpRequest recordable(HttpRequest request);
Exchange recordable(Exchange exchange);

// kTooLarge in place of a body over the cap of its request.
absl::StatusOr<HttpResponse> capped(absl::StatusOr<HttpResponse> response, const HttpRequest& request);

}  // namespace convergence

#endif  // CONVERGENCE_LIB_TRANSPORT_RECORDABLE_H_
