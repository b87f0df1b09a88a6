// The functions without handles: documents in, documents out.
#include <map>
#include <string>

#include "capi/documents.h"
#include "capi/guard.h"
#include "capi/reader.h"
#include "convergence/analysis.h"
#include "convergence/canary.h"
#include "convergence/chain.h"
#include "convergence/codec.h"
#include "convergence/draw.h"
#include "convergence/error.h"
#include "convergence/filter.h"
#include "convergence/import.h"
#include "convergence/lint.h"
#include "convergence/plan.h"
#include "lib/base/status_macros.h"

namespace convergence::capi {
namespace {

constexpr Parameter kFormatOption[] = {{"format"}};
constexpr Parameter kImportOptions[] = {{"format"}, {"stable_subset"}, {"candidate_subset"}};

// A chain as the endpoint answers, {"Chain": {...}}, or the object inside.
absl::StatusOr<DiscoveryChain> read_chain(cvg_slice slice) {
  CVG_ASSIGN_OR_RETURN(Json json, read_document(slice, "chain"));
  const Json* inner = json.find("Chain");
  return from_json<DiscoveryChain>(inner ? *inner : json, "chain");
}

absl::StatusOr<EntryMap> read_entry_map(cvg_slice slice, std::string_view name) {
  CVG_ASSIGN_OR_RETURN(std::vector<ConfigEntry> entries, read_list<ConfigEntry>(slice, name));
  EntryMap map;
  for (ConfigEntry& entry : entries) {
    const EntryId key = entry_key(entry);
    if (!map.emplace(key, std::move(entry)).second) {
      return make_error(ErrorKind::kValidate,
                        std::string(name) + ": " + key.kind + "/" + key.name + ": is there twice");
    }
  }
  return map;
}

}  // namespace
}  // namespace convergence::capi

using namespace convergence;        // NOLINT: the functions below have C linkage and cannot live inside
using namespace convergence::capi;  // NOLINT

extern "C" {

cvg_code cvg_route(cvg_slice chain, cvg_slice request, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(DiscoveryChain compiled, read_chain(chain));
    CVG_ASSIGN_OR_RETURN(HttpRequestShape shape, read_value<HttpRequestShape>(request, "request"));
    CVG_ASSIGN_OR_RETURN(RouteResult result, route(compiled, shape));
    return give(to_json(result), out);
  });
}

cvg_code cvg_route_with_catalog(cvg_slice chain, cvg_slice request, cvg_slice catalog, cvg_buffer* out,
                                cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(DiscoveryChain compiled, read_chain(chain));
    CVG_ASSIGN_OR_RETURN(HttpRequestShape shape, read_value<HttpRequestShape>(request, "request"));
    CVG_ASSIGN_OR_RETURN(CatalogState present, read_value<CatalogState>(catalog, "catalog"));
    CVG_ASSIGN_OR_RETURN(RouteResult result, route(compiled, shape, &present));
    return give(to_json(result), out);
  });
}

cvg_code cvg_draw_chain(cvg_slice chain, cvg_slice options, cvg_slice catalog, cvg_buffer* out,
                        cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(DiscoveryChain compiled, read_chain(chain));
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_RETURN_IF_ERROR(check_members(json, kFormatOption, "options"));
    const std::string format = text_of(json, "format");
    CVG_ASSIGN_OR_RETURN(const Drawing drawing, drawing_from(format.empty() ? "tree" : format));
    std::map<std::string, TargetHealth> health;
    if (!view(catalog).empty()) {
      CVG_ASSIGN_OR_RETURN(CatalogState present, read_value<CatalogState>(catalog, "catalog"));
      health = chain_health(compiled, present);
    }
    return give_text(draw(compiled, drawing, health), out);
  });
}

cvg_code cvg_lint(cvg_slice entries, cvg_slice catalog, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(EntryMap present, read_entry_map(entries, "entries"));
    if (view(catalog).empty()) return give(to_json(lint(present)), out);
    CVG_ASSIGN_OR_RETURN(CatalogState instances, read_value<CatalogState>(catalog, "catalog"));
    return give(to_json(lint(present, &instances)), out);
  });
}

cvg_code cvg_import(cvg_slice text, cvg_slice options, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Json json, read_document(options, "options"));
    CVG_RETURN_IF_ERROR(check_members(json, kImportOptions, "options"));
    ImportOptions import_options;
    for (const auto& [name, value] :
         {std::pair("format", &import_options.format), std::pair("stable_subset", &import_options.stable_subset),
          std::pair("candidate_subset", &import_options.candidate_subset)}) {
      if (std::string given = text_of(json, name); !given.empty()) *value = std::move(given);
    }
    CVG_ASSIGN_OR_RETURN(ImportedDocuments imported, import_documents(view(text), "text", import_options));
    Json::Array all;
    for (const ConfigEntry& entry : imported.entries) all.push_back(to_json(entry));
    for (const CanaryPolicy& policy : imported.policies) all.push_back(to_json(policy));
    return give(Json().set("imported", std::move(all)).set("report", report_json(imported.report)), out);
  });
}

cvg_code cvg_filter(cvg_slice expression, cvg_slice rows, cvg_buffer* out, cvg_error** error) noexcept {
  return cvg_filter_of_kind(expression, cvg_text("health"), rows, out, error);
}

cvg_code cvg_filter_of_kind(cvg_slice expression, cvg_slice kind, cvg_slice rows, cvg_buffer* out,
                            cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(const RowKind row_kind, row_kind_from_text(view(kind)));
    CVG_ASSIGN_OR_RETURN(const Filter filter, Filter::parse(view(expression), row_kind));
    CVG_ASSIGN_OR_RETURN(Json json, read_document(rows, "rows"));
    const Json::Array* array = json.as_array();
    if (array == nullptr) return shape_error("rows", "is no array; give rows as Consul answers them");
    CVG_ASSIGN_OR_RETURN(Json::Array matching, filter_rows(filter, *array));
    return give(Json(std::move(matching)), out);
  });
}

cvg_code cvg_plan_config(cvg_slice desired, cvg_slice actual, cvg_slice options, cvg_buffer* out,
                         cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(std::vector<ConfigEntry> wanted, read_list<ConfigEntry>(desired, "desired"));
    CVG_ASSIGN_OR_RETURN(EntryMap present, read_entry_map(actual, "actual"));
    CVG_ASSIGN_OR_RETURN(PlanOptions plan_options, read_value<PlanOptions>(options, "options"));
    CVG_ASSIGN_OR_RETURN(Plan plan, plan_config(wanted, present, plan_options));
    return give(to_json(plan), out);
  });
}

cvg_code cvg_catalog_from_consul(cvg_slice answers, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Json json, read_document(answers, "answers"));
    CVG_ASSIGN_OR_RETURN(CatalogState catalog, catalog_from_consul(json, "answers"));
    return give(to_json(catalog), out);
  });
}

cvg_code cvg_converge(cvg_slice desired, cvg_slice catalog, cvg_slice options, cvg_buffer* out,
                      cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(DesiredState wanted, read_value<DesiredState>(desired, "desired"));
    CVG_ASSIGN_OR_RETURN(CatalogState present, read_value<CatalogState>(catalog, "catalog"));
    CVG_ASSIGN_OR_RETURN(PlanOptions plan_options, read_value<PlanOptions>(options, "options"));
    CVG_ASSIGN_OR_RETURN(Plan plan, converge(wanted, present, plan_options));
    return give(to_json(plan), out);
  });
}

cvg_code cvg_undo(cvg_slice plan, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Plan done, read_value<Plan>(plan, "plan"));
    return give(to_json(undo(done)), out);
  });
}

cvg_code cvg_describe_plan(cvg_slice plan, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(Plan described, read_value<Plan>(plan, "plan"));
    return give_text(describe(described), out);
  });
}

cvg_code cvg_canary_step(cvg_slice policy, cvg_slice state, cvg_slice event, cvg_buffer* out,
                         cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(CanaryPolicy canary_policy, read_value<CanaryPolicy>(policy, "policy"));
    CanaryState before;
    if (!view(state).empty()) {
      CVG_ASSIGN_OR_RETURN(before, read_value<CanaryState>(state, "state"));
    }
    CVG_ASSIGN_OR_RETURN(CanaryEvent canary_event, read_value<CanaryEvent>(event, "event"));
    CVG_ASSIGN_OR_RETURN(CanaryStep step, canary_step(canary_policy, before, canary_event));
    return give(to_json(step), out);
  });
}

cvg_code cvg_compare(cvg_slice intervals, cvg_slice options, cvg_buffer* out, cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(std::vector<Interval> counted, read_value<std::vector<Interval>>(intervals, "intervals"));
    CVG_ASSIGN_OR_RETURN(AnalysisOptions analysis, read_value<AnalysisOptions>(options, "options"));
    CVG_ASSIGN_OR_RETURN(Comparison comparison, compare(counted, analysis));
    return give(to_json(comparison), out);
  });
}

cvg_code cvg_simulate(cvg_slice policy, cvg_slice scenario, int64_t runs, uint64_t seed, cvg_buffer* out,
                      cvg_error** error) noexcept {
  return guarded(error, [&]() -> absl::Status {
    CVG_RETURN_IF_ERROR(require(out, "out"));
    CVG_ASSIGN_OR_RETURN(SimulatedPolicy simulated, read_value<SimulatedPolicy>(policy, "policy"));
    CVG_ASSIGN_OR_RETURN(Scenario service, read_value<Scenario>(scenario, "scenario"));
    CVG_ASSIGN_OR_RETURN(Simulation simulation, simulate(simulated, service, runs, seed));
    return give(to_json(simulation), out);
  });
}

}  // extern "C"
