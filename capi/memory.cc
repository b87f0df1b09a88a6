// The embedded Consul as a handle.
#include <cstdint>
#include <utility>

#include "capi/guard.h"
#include "capi/handles.h"
#include "capi/reader.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"

namespace convergence::capi {
namespace {

constexpr Parameter kMemoryOptions[] = {
    {"datacenter", Shape::kText, false},
    {"node", Shape::kText, false},
};

}  // namespace
}  // namespace convergence::capi

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

extern "C" {

cvg_code cvg_memory_consul_new(cvg_loop* loop, cvg_slice options, cvg_memory_consul** out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(loop, "loop"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_RETURN_IF_ERROR(check_members(json, kMemoryOptions, "options"));
    MemoryConsulState initial;
    if (json.find("node")) initial.node_name = text_of(json, "node");
    if (json.find("datacenter")) {
      ClusterIdentity cluster = initial.entries.cluster();
      cluster.datacenter = text_of(json, "datacenter");
      initial.entries = ConfigEntries(std::move(cluster));
    }
    auto consul = std::make_unique<cvg_memory_consul>();
    consul->consul = std::make_unique<MemoryConsul>(*loop->executor, std::move(initial));
    *out = consul.release();
    return absl::OkStatus();
  });
}

cvg_code cvg_memory_consul_connect(cvg_memory_consul* consul, cvg_connection** out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(consul, "consul"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    auto connection = std::make_unique<cvg_connection>();
    connection->transport = consul->consul.get();
    *out = connection.release();
    return absl::OkStatus();
  });
}

cvg_code cvg_memory_consul_serve(cvg_memory_consul* consul, uint16_t port, uint16_t* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(consul, "consul"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    if (consul->face) return make_error(ErrorKind::kUsage, "consul: is served already");
    CVG_ASSIGN_OR_RETURN(consul->face, HttpFace::start(*consul->consul, port));
    *out = consul->face->port();
    return absl::OkStatus();
  });
}

void cvg_memory_consul_free(cvg_memory_consul* consul) noexcept {
  if (consul == nullptr) return;
  consul->face.reset();  // before what it speaks to
  delete consul;
}

}  // extern "C"
