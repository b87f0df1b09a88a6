#include <memory>

#include "convergence/consul_client.h"
#include "lib/client/requests.h"

namespace convergence {

ConsulClient::ConsulClient(Executor& executor, Transport& transport, RetryOptions retry)
    : impl_(std::make_shared<Impl>(executor, transport, retry)) {}

ConsulClient::~ConsulClient() { impl_->cancel_all(); }

Executor& ConsulClient::executor() const { return impl_->executor(); }

void ConsulClient::cancel_all() { impl_->cancel_all(); }

}  // namespace convergence
