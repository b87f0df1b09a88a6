// Config entries with the server's rules, as a handle.
#include <cstdint>
#include <string>
#include <utility>

#include "capi/guard.h"
#include "capi/reader.h"
#include "convergence/chain.h"
#include "convergence/codec.h"
#include "convergence/error.h"
#include "lib/base/status_macros.h"

struct cvg_entries {
  convergence::ConfigEntries entries;
  std::uint64_t index = 0;  // counts writes, as the server's Raft index does
};

namespace convergence::capi {
namespace {

constexpr Parameter kOverrides[] = {
    {"OverrideProtocol", Shape::kText, false},
    {"OverrideConnectTimeout", Shape::kDuration, false},
    {"OverrideMeshGateway", Shape::kObject, false},
};

absl::StatusOr<ChainOverrides> read_overrides(const Json& json) {
  CVG_RETURN_IF_ERROR(check_members(json, kOverrides, "options/override"));
  ChainOverrides overrides;
  overrides.protocol = text_of(json, "OverrideProtocol");
  overrides.connect_timeout = duration_of(json, "OverrideConnectTimeout").value_or(Duration{0});
  if (const Json* gateway = json.find("OverrideMeshGateway")) {
    overrides.mesh_gateway_mode = text_of(*gateway, "Mode");
  }
  const std::string& mode = overrides.mesh_gateway_mode;
  if (!mode.empty() && mode != "none" && mode != "local" && mode != "remote") {
    return make_error(ErrorKind::kValidate, "Invalid OverrideMeshGateway.Mode parameter");
  }
  return overrides;
}

constexpr Parameter kEntriesOptions[] = {
    {"datacenter", Shape::kText, false},
    {"trust_domain", Shape::kText, false},
    {"dialect", Shape::kText, false},
};

absl::StatusOr<ClusterIdentity> read_cluster(const Json& json) {
  CVG_RETURN_IF_ERROR(check_members(json, kEntriesOptions, "options"));
  ClusterIdentity cluster;
  if (json.find("datacenter")) cluster.datacenter = text_of(json, "datacenter");
  if (json.find("trust_domain")) cluster.trust_domain = text_of(json, "trust_domain");
  const std::string dialect = text_of(json, "dialect");
  if (dialect == to_string(Dialect::kCurrent)) {
    cluster.dialect = Dialect::kCurrent;
  } else if (!dialect.empty() && dialect != to_string(Dialect::k1_8)) {
    return make_error(ErrorKind::kUsage,
                      "options: dialect: \"" + dialect + "\" is unknown; use \"1.8\" or \"current\"");
  }
  return cluster;
}

constexpr Parameter kCompileOptions[] = {
    {"override", Shape::kObject, false},
    {"compile_dc", Shape::kText, false},
};

}  // namespace
}  // namespace convergence::capi

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

extern "C" {

cvg_code cvg_entries_new(cvg_slice options, cvg_entries** out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_ASSIGN_OR_RETURN(ClusterIdentity cluster, read_cluster(json));
    *out = new cvg_entries{ConfigEntries(std::move(cluster)), 0};
    return absl::OkStatus();
  });
}

cvg_code cvg_entries_put(cvg_entries* entries, cvg_slice entry, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(entries, "entries"));
    CVG_ASSIGN_OR_RETURN(ConfigEntry value, parse<ConfigEntry>(view(entry), "entry"));
    CVG_RETURN_IF_ERROR(entries->entries.put(std::move(value), entries->index + 1));
    ++entries->index;
    return absl::OkStatus();
  });
}

cvg_code cvg_entries_delete(cvg_entries* entries, cvg_slice kind, cvg_slice name, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(entries, "entries"));
    return entries->entries.remove(view(kind), view(name));
  });
}

cvg_code cvg_entries_get(const cvg_entries* entries, cvg_slice kind, cvg_slice name, cvg_buffer* out,
                         cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(entries, "entries"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    const ConfigEntry* entry = entries->entries.get(view(kind), view(name));
    if (entry == nullptr) {
      return make_error(ErrorKind::kNotFound, "Config entry not found for \"" + std::string(view(kind)) + "\" / \"" +
                                                  std::string(view(name)) + "\"");
    }
    return give(to_json(*entry), out);
  });
}

cvg_code cvg_entries_list(const cvg_entries* entries, cvg_slice kind, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(entries, "entries"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    Json::Array list;
    for (const auto& [key, entry] : entries->entries.map()) {
      if (view(kind).empty() || key.kind == view(kind)) list.push_back(to_json(*entry));
    }
    return give(Json(std::move(list)), out);
  });
}

cvg_code cvg_entries_compile(const cvg_entries* entries, cvg_slice service, cvg_slice options, cvg_buffer* out,
                             cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(entries, "entries"));
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_RETURN_IF_ERROR(check_members(json, kCompileOptions, "options"));
    ChainRequest request;
    request.service = std::string(view(service));
    request.evaluate_in_datacenter = text_of(json, "compile_dc");
    request.cluster = entries->entries.cluster();
    if (const Json* overrides = json.find("override"); overrides && !overrides->is_null()) {
      CVG_ASSIGN_OR_RETURN(request.overrides, read_overrides(*overrides));
    }
    CVG_ASSIGN_OR_RETURN(DiscoveryChain chain, compile_chain(entries->entries.map(), request));
    return give(to_json(chain), out);
  });
}

void cvg_entries_free(cvg_entries* entries) noexcept { delete entries; }

}  // extern "C"
