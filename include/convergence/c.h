#ifndef CONVERGENCE_C_H_
#define CONVERGENCE_C_H_

/* The C API of convergence: the only surface whose ABI is promised.
 *
 * Conventions
 *  1. Documents are JSON, UTF-8, passed in as cvg_slice (copied before return) and out as cvg_buffer, which the caller
 * frees with cvg_buffer_free. docs/documents.md describes each; where Consul has a shape for a thing, that is the
 * shape. An options argument may be the empty slice: defaults.
 *  2. A function that can fail returns a cvg_code and takes cvg_error** last, which may be NULL. On failure the other
 *     out-arguments are untouched and *error is an error the caller frees with cvg_error_free. On success *error is
 * untouched.
 *  3. Handles are opaque and distinct. cvg_X_free accepts NULL and never fails. A handle made from another one must be
 * freed before it: client before connection, connection before loop.
 *  4. Nothing unwinds: no exception leaves the library, and a C++ exception that leaves a host's callback becomes code
 *     CVG_INTERNAL.
 *  5. Threads: different loops are independent. A loop, and what was made from it, is used by one thread at a time,
 * except what is marked [any thread]. No function calls back from a thread of the library: completions are pulled.
 *  6. Structures that the host fills start with struct_size; fields are only ever appended, and those beyond
 * struct_size are taken as absent.
 *  7. There is no init and no shutdown, and no state outside the handles.
 *  8. Times are integer nanoseconds since 1970, durations integer nanoseconds.
 *
 * Does not: log, read files it was not named, read the environment, install signal handlers, start threads other than
 * one per curl connection and one per served port.
 */

#include <stddef.h>
#include <stdint.h>

#include "convergence/version.h"

#if defined(CVG_BUILDING_LIBRARY)
#define CVG_API __attribute__((visibility("default")))
#else
#define CVG_API
#endif

#ifdef __cplusplus
extern "C" {
#define CVG_NOEXCEPT noexcept
#else
#define CVG_NOEXCEPT
#endif

/* ---- results, text, errors ------------------------------------------------------------------------------------ */

/* Numbered as absl::StatusCode; frozen. */
typedef int32_t cvg_code;
#define CVG_OK 0
#define CVG_CANCELLED 1
#define CVG_UNKNOWN 2
#define CVG_INVALID_ARGUMENT 3
#define CVG_DEADLINE_EXCEEDED 4
#define CVG_NOT_FOUND 5
#define CVG_ALREADY_EXISTS 6
#define CVG_PERMISSION_DENIED 7
#define CVG_RESOURCE_EXHAUSTED 8
#define CVG_FAILED_PRECONDITION 9
#define CVG_ABORTED 10
#define CVG_OUT_OF_RANGE 11
#define CVG_UNIMPLEMENTED 12
#define CVG_INTERNAL 13
#define CVG_UNAVAILABLE 14
#define CVG_DATA_LOSS 15

typedef struct cvg_slice {
  const char* data; /* may be NULL when size is 0 */
  size_t size;
} cvg_slice;

typedef struct cvg_buffer {
  char* data; /* size bytes and a NUL that size does not count */
  size_t size;
} cvg_buffer;

typedef struct cvg_error cvg_error;

/* "0.1.0"; static storage. @since 0.1 (as everything here) */
CVG_API const char* cvg_version(void) CVG_NOEXCEPT;
/* CVG_ABI_VERSION of the library that is running. */
CVG_API int32_t cvg_abi_version(void) CVG_NOEXCEPT;

/* A slice of a NUL-terminated text; borrowed. NULL gives the empty slice. */
CVG_API cvg_slice cvg_text(const char* text) CVG_NOEXCEPT;
/* Frees the bytes and empties the buffer; accepts NULL and empty ones. */
CVG_API void cvg_buffer_free(cvg_buffer* buffer) CVG_NOEXCEPT;

/* The texts are borrowed until cvg_error_free. Of NULL: CVG_OK and "". */
CVG_API cvg_code cvg_error_code(const cvg_error* error) CVG_NOEXCEPT;
CVG_API const char* cvg_error_message(const cvg_error* error) CVG_NOEXCEPT;
/* "decode", "validate", "graph", "unreachable", ...: docs/errors.md. */
CVG_API const char* cvg_error_kind(const cvg_error* error) CVG_NOEXCEPT;
/* A JSON object: document, pointer, offset, status, body, ... whatever the kind has. */
CVG_API const char* cvg_error_detail(const cvg_error* error) CVG_NOEXCEPT;
CVG_API void cvg_error_free(cvg_error* error) CVG_NOEXCEPT;

/* ---- pure functions: no handle, no clock, any thread ------------------------------------------------------------ */

/* chain: as /v1/discovery-chain answers, or its "Chain"; request: {"path","method","headers","query"}. */
CVG_API cvg_code cvg_route(cvg_slice chain, cvg_slice request, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* The same with the instances of a catalog document: who serves each leg. */
CVG_API cvg_code cvg_route_with_catalog(cvg_slice chain, cvg_slice request, cvg_slice catalog, cvg_buffer* out,
                                        cvg_error** error) CVG_NOEXCEPT;
/* A picture of a chain: options {"format": "tree"|"dot"|"mermaid"|"svg"}; catalog: the empty slice for none, else the
 * targets are drawn with the health of their instances. Out: text. */
CVG_API cvg_code cvg_draw_chain(cvg_slice chain, cvg_slice options, cvg_slice catalog, cvg_buffer* out,
                                cvg_error** error) CVG_NOEXCEPT;
/* entries: an array of config entries; catalog: the empty slice for none. Out: an array of {"rule","severity","entry",
 * "pointer","why","remedy"}: docs/lint.md. */
CVG_API cvg_code cvg_lint(cvg_slice entries, cvg_slice catalog, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* Config entries and rollout policies in the languages of others: options {"format": "auto"|"json"|"hcl"|"yaml",
 * "stable_subset", "candidate_subset"}. Out: {"imported": [entries, then policies], "report": [{"line","field",
 * "outcome": "imported"|"translated"|"unsupported"|"ignored","why"}]}. */
CVG_API cvg_code cvg_import(cvg_slice text, cvg_slice options, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* rows: an array as /v1/health/service answers; out: those that match. */
CVG_API cvg_code cvg_filter(cvg_slice expression, cvg_slice rows, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* The same of other rows; kind: "health", "node", "catalog-service", "service" or "check" (docs/filters.md). */
CVG_API cvg_code cvg_filter_of_kind(cvg_slice expression, cvg_slice kind, cvg_slice rows, cvg_buffer* out,
                                    cvg_error** error) CVG_NOEXCEPT;
/* desired, actual: arrays of config entries. Out: a plan. */
CVG_API cvg_code cvg_plan_config(cvg_slice desired, cvg_slice actual, cvg_slice options, cvg_buffer* out,
                                 cvg_error** error) CVG_NOEXCEPT;
/* Raw Consul answers {"nodes","services","health","kv","config"} to a catalog document. */
CVG_API cvg_code cvg_catalog_from_consul(cvg_slice answers, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* desired: {"services":[...],"entries":[...]}; catalog: a catalog document. Out: a plan. */
CVG_API cvg_code cvg_converge(cvg_slice desired, cvg_slice catalog, cvg_slice options, cvg_buffer* out,
                              cvg_error** error) CVG_NOEXCEPT;
CVG_API cvg_code cvg_undo(cvg_slice plan, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* The plan in sentences. */
CVG_API cvg_code cvg_describe_plan(cvg_slice plan, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* state: the empty slice for none yet. Out: {"state": ..., "effects": [...]}. */
CVG_API cvg_code cvg_canary_step(cvg_slice policy, cvg_slice state, cvg_slice event, cvg_buffer* out,
                                 cvg_error** error) CVG_NOEXCEPT;

/* ---- deployments: what a fleet, a node and its agent decide; docs/deployment.md -------------------------------------
 */

/* One step of a node's agent. state: an agent's state, at the least
 * {"schema":1,"config":{"node"},"memory":{"schema":1}}; event: {"at","type":
 * "started"|"desired"|"local"|"fleet"|"work-done"|"woken"|"command",...}. Out: {"effects",
 * "decisions","parked","state"}; the effects are to be carried out in order. */
CVG_API cvg_code cvg_agent_step(cvg_slice state, cvg_slice event, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* An agent's journal again: one JSON record a line, {"begin": state}, {"event": ...} or {"step": ...}. Out:
 * {"processes", "steps": [{"event","step"}]}; CVG_ABORTED kind "conflict", with record, was and now in the detail, at
 * the first step that is another one than was made then. */
CVG_API cvg_code cvg_replay(cvg_slice journal, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* services: an array of desired services; node: {"node","owner","installed","local","damaged","failed"}. Out: an array
 * of
 * {"service_id","action","why","service","deployment","release"}, in the order in which they should be taken up. */
CVG_API cvg_code cvg_plan_node(cvg_slice services, cvg_slice node, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* Those of the services whose placement selects the node, which is a row of /v1/catalog/nodes. */
CVG_API cvg_code cvg_services_on(cvg_slice services, cvg_slice node, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* What a node should run of a service now; running: the deployment that it has, empty for none. Out: {"deployment",
 * "release","why"}, without a release where what runs stays. */
CVG_API cvg_code cvg_target_on(cvg_slice service, cvg_slice node, cvg_slice running, cvg_buffer* out,
                               cvg_error** error) CVG_NOEXCEPT;
/* The nodes of a service's placement; failed: {node: why} of the wanted deployment. Out: {"nodes": [{"name","lost",
 * "deployment","status","failed","out_of_traffic"}]}. */
CVG_API cvg_code cvg_fleet_of(cvg_slice service, cvg_slice catalog, cvg_slice failed, cvg_buffer* out,
                              cvg_error** error) CVG_NOEXCEPT;
/* fleet: as cvg_fleet_of gives, with "watched" while it bakes. Out: {"service": the document as it has to be now, or
 * null when it is right}. Written by compare-and-set on the index of the document that it was decided on. */
CVG_API cvg_code cvg_advance(cvg_slice service, cvg_slice fleet, int64_t now, cvg_buffer* out,
                             cvg_error** error) CVG_NOEXCEPT;
/* How a service stands on its nodes; reports: {node: node report} of the wanted deployment. */
CVG_API cvg_code cvg_status_of(cvg_slice service, cvg_slice catalog, cvg_slice reports, cvg_buffer* out,
                               cvg_error** error) CVG_NOEXCEPT;
/* The service with another release wanted. One that is wanted already gives the document as it is, unless `again`. */
CVG_API cvg_code cvg_deploy(cvg_slice service, cvg_slice release, int32_t again, cvg_buffer* out,
                            cvg_error** error) CVG_NOEXCEPT;
/* The roll-out under way taken back; asked: {"by","reason","at"}. Kind "refused": nothing is on its way. */
CVG_API cvg_code cvg_cancel(cvg_slice service, cvg_slice asked, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* Switched off (on is 0), agents leave the service as it is. */
CVG_API cvg_code cvg_toggle(cvg_slice service, int32_t on, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* Environment Manager's keys as desired services. pairs: an array as /v1/kv answers; role: {"environment","role"}. Out:
 * {"services","waiting","broken": [{"key","service_id","needs","why"}],"prefix","keys"}: "prefix" is below which all
 * that names services of the role stands, "keys" is what these need beside it. */
CVG_API cvg_code cvg_import_environment(cvg_slice pairs, cvg_slice role, cvg_buffer* out,
                                        cvg_error** error) CVG_NOEXCEPT;
/* The way back, for one transaction: {"operations","left_out","keys"}. pairs: what stands at "keys". */
CVG_API cvg_code cvg_export_environment(cvg_slice service, cvg_slice role, cvg_slice pairs, int32_t expected_nodes,
                                        cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* An appspec.yml; options: {"document","platform","slice","port","root"}. Out: {"spec","report"}; errors name the line.
 */
CVG_API cvg_code cvg_appspec(cvg_slice text, cvg_slice options, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* The least that ACLs have to allow an agent, and an operator, in HCL. scope: {"prefix","environment","role","node",
 * "services"}, each of which may be left out for all. */
CVG_API cvg_code cvg_agent_rules(cvg_slice scope, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
CVG_API cvg_code cvg_operator_rules(cvg_slice scope, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* Is the canary worse than the primary? intervals: [{"canary": {"n","x","buckets"?}, "primary": {...}, "weight"?,
   "primary_instances"?}, ...], buckets cumulative over options["bounds"] (milliseconds); a null count is none.
   options: {"alpha","beta","rho0","delta0","margin","phi","warm_up","bounds",...}, each with a default. Out:
   {"verdict","why","log_W","log_F","U","L","p_value","phi","margin","errors","latency",...}. */
CVG_API cvg_code cvg_compare(cvg_slice intervals, cvg_slice options, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;

/* What a policy does with a canary of a made-up service, in so many rollouts; equal arguments give equal bytes. policy:
   {} is ours, {"mode": "flagger" | "consecutive" | "argo", ...} a peer's rule. scenario: {"rps","error_rate","latency",
   "canary": {"error_times","error_add","latency_times",...},"incident","retries","burst","stall",...}. Out: {"runs",
   "promoted","rolled_back","inconclusive","time_to_rollback_s","time_to_promotion_s","harmed_requests","first"}. */
CVG_API cvg_code cvg_simulate(cvg_slice policy, cvg_slice scenario, int64_t runs, uint64_t seed, cvg_buffer* out,
                              cvg_error** error) CVG_NOEXCEPT;

/* ---- config entries with the server's rules --------------------------------------------------------------------- */

typedef struct cvg_entries cvg_entries;

/* options: {"datacenter","trust_domain","dialect": "1.8"|"current"}. */
CVG_API cvg_code cvg_entries_new(cvg_slice options, cvg_entries** out, cvg_error** error) CVG_NOEXCEPT;
/* Validated and graph-checked as PUT /v1/config does; on failure nothing has changed. */
CVG_API cvg_code cvg_entries_put(cvg_entries* entries, cvg_slice entry, cvg_error** error) CVG_NOEXCEPT;
/* Deleting what is absent succeeds; a deletion that breaks a chain does not. */
CVG_API cvg_code cvg_entries_delete(cvg_entries* entries, cvg_slice kind, cvg_slice name,
                                    cvg_error** error) CVG_NOEXCEPT;
/* CVG_NOT_FOUND when absent. */
CVG_API cvg_code cvg_entries_get(const cvg_entries* entries, cvg_slice kind, cvg_slice name, cvg_buffer* out,
                                 cvg_error** error) CVG_NOEXCEPT;
/* All entries, or those of one kind when it is not empty, as an array. */
CVG_API cvg_code cvg_entries_list(const cvg_entries* entries, cvg_slice kind, cvg_buffer* out,
                                  cvg_error** error) CVG_NOEXCEPT;
/* options: {"compile_dc", "override": {"OverrideProtocol","OverrideConnectTimeout","OverrideMeshGateway"}}. Out: the
 * "Chain". */
CVG_API cvg_code cvg_entries_compile(const cvg_entries* entries, cvg_slice service, cvg_slice options, cvg_buffer* out,
                                     cvg_error** error) CVG_NOEXCEPT;
CVG_API void cvg_entries_free(cvg_entries* entries) CVG_NOEXCEPT;

/* ---- loop: where everything asynchronous runs -------------------------------------------------------------------- */

typedef struct cvg_loop cvg_loop;

/* On the machine's clock. */
CVG_API cvg_code cvg_loop_new(cvg_loop** out, cvg_error** error) CVG_NOEXCEPT;
/* On a clock that moves only by cvg_loop_advance, from `start`. */
CVG_API cvg_code cvg_loop_new_simulated(int64_t start, cvg_loop** out, cvg_error** error) CVG_NOEXCEPT;
/* Runs what is due, waiting at most `timeout` for something; out: how many tasks ran. A simulated loop does not wait.
 */
CVG_API cvg_code cvg_loop_poll(cvg_loop* loop, int64_t timeout, int32_t* out, cvg_error** error) CVG_NOEXCEPT;
/* Readable while a poll would run something that was posted; -1 of a simulated loop. Borrowed. */
CVG_API int32_t cvg_loop_descriptor(const cvg_loop* loop) CVG_NOEXCEPT;
CVG_API int64_t cvg_loop_now(const cvg_loop* loop) CVG_NOEXCEPT;
/* When the loop has something to do next; INT64_MAX when nothing waits. */
CVG_API int64_t cvg_loop_next_due(const cvg_loop* loop) CVG_NOEXCEPT;
/* CVG_FAILED_PRECONDITION of a loop on the machine's clock. */
CVG_API cvg_code cvg_loop_advance(cvg_loop* loop, int64_t by, cvg_error** error) CVG_NOEXCEPT;
/* Takes the oldest completion: 1 and *id with either *document or *failure set (the caller frees it), or 0 when there
   is none. */
CVG_API int32_t cvg_loop_next(cvg_loop* loop, uint64_t* id, cvg_buffer* document, cvg_error** failure) CVG_NOEXCEPT;
CVG_API void cvg_loop_free(cvg_loop* loop) CVG_NOEXCEPT;

/* ---- connections: ways to reach a Consul ---------------------------------------------------------------------------
 */

typedef struct cvg_connection cvg_connection;

/* options: {"address","token","basic_auth","verify_tls","ca_file","ca_path","client_cert_file","client_key_file",
   "tls_server_name","connect_timeout","timeout","max_connections"}. */
CVG_API cvg_code cvg_connection_curl(cvg_loop* loop, cvg_slice options, cvg_connection** out,
                                     cvg_error** error) CVG_NOEXCEPT;

typedef struct cvg_request {
  size_t struct_size;
  cvg_slice method;
  cvg_slice target;
  cvg_slice headers; /* JSON: [["name","value"],...] */
  cvg_slice body;
  int64_t deadline; /* absolute; INT64_MAX: none */
} cvg_request;

/* Filled by a host that reaches Consul in its own way. */
typedef struct cvg_transport {
  size_t struct_size;
  void* user_data;
  /* Starts a request; what it points to is borrowed until return. The host answers each id once, then or later, with
     cvg_connection_complete or cvg_connection_fail. Not CVG_OK: there will be no answer. Runs inside the loop's poll.
   */
  cvg_code (*send)(void* user_data, uint64_t id, const cvg_request* request);
  /* The answer is not wanted any more; may be NULL. */
  void (*cancel)(void* user_data, uint64_t id);
  /* Called once, when the connection is freed and also when making it failed; may be NULL. */
  void (*destroy)(void* user_data);
} cvg_transport;

CVG_API cvg_code cvg_connection_host(cvg_loop* loop, const cvg_transport* transport, cvg_connection** out,
                                     cvg_error** error) CVG_NOEXCEPT;
/* headers: JSON [["name","value"],...]. CVG_NOT_FOUND: no such request waits (cancelled, answered). [any thread] */
CVG_API cvg_code cvg_connection_complete(cvg_connection* connection, uint64_t id, int32_t status, cvg_slice headers,
                                         cvg_slice body, cvg_error** error) CVG_NOEXCEPT;
/* The request got no answer. [any thread] */
CVG_API cvg_code cvg_connection_fail(cvg_connection* connection, uint64_t id, cvg_slice message,
                                     cvg_error** error) CVG_NOEXCEPT;

/* Decorators: the connection they go around must outlive them. */
CVG_API cvg_code cvg_connection_record(cvg_loop* loop, cvg_connection* inner, cvg_connection** out,
                                       cvg_error** error) CVG_NOEXCEPT;
/* What a recording connection has seen so far; CVG_FAILED_PRECONDITION of another connection. */
CVG_API cvg_code cvg_connection_recording(const cvg_connection* connection, cvg_buffer* out,
                                          cvg_error** error) CVG_NOEXCEPT;
CVG_API cvg_code cvg_connection_replay(cvg_loop* loop, cvg_slice recording, cvg_connection** out,
                                       cvg_error** error) CVG_NOEXCEPT;
/* faults:
   [{"from":0,"to":9,"method":"PUT","target":"/v1/kv","kind":"fail-before"|"fail-after"|"status"|"cut-body"|"garbage"|
   "delay"|"stall","status":500,"body":"","delay":ns}, ...]: the first that fits a send decides; from/to count sends. */
CVG_API cvg_code cvg_connection_fault(cvg_loop* loop, cvg_connection* inner, cvg_slice faults, cvg_connection** out,
                                      cvg_error** error) CVG_NOEXCEPT;
CVG_API void cvg_connection_free(cvg_connection* connection) CVG_NOEXCEPT;

/* ---- the embedded Consul --------------------------------------------------------------------------------------------
 */

typedef struct cvg_memory_consul cvg_memory_consul;

/* options: {"datacenter","node"}. */
CVG_API cvg_code cvg_memory_consul_new(cvg_loop* loop, cvg_slice options, cvg_memory_consul** out,
                                       cvg_error** error) CVG_NOEXCEPT;
/* A connection to it; free it before the Consul. */
CVG_API cvg_code cvg_memory_consul_connect(cvg_memory_consul* consul, cvg_connection** out,
                                           cvg_error** error) CVG_NOEXCEPT;
/* Serves Consul's HTTP API on 127.0.0.1 until freed; port 0 takes a free one; out: the port. Answers while the loop is
   polled. */
CVG_API cvg_code cvg_memory_consul_serve(cvg_memory_consul* consul, uint16_t port, uint16_t* out,
                                         cvg_error** error) CVG_NOEXCEPT;
CVG_API void cvg_memory_consul_free(cvg_memory_consul* consul) CVG_NOEXCEPT;

/* ---- the client
 * ------------------------------------------------------------------------------------------------------- */

typedef struct cvg_client cvg_client;

/* options: {"max_tries"}. */
CVG_API cvg_code cvg_client_new(cvg_loop* loop, cvg_connection* connection, cvg_slice options, cvg_client** out,
                                cvg_error** error) CVG_NOEXCEPT;
/* Starts a call; its completion comes from cvg_loop_next with *id. verb and arguments:
     kv_get {key} · kv_recurse {prefix} · kv_keys {prefix} · kv_put {key,value|value_base64,flags,cas,acquire,release} ·
     kv_delete {key,cas} · kv_delete_tree {prefix} · txn {operations} ·
     catalog_nodes · catalog_services · catalog_register {registration} · catalog_deregister {deregistration} ·
     health_service {service} · health_node {node} · health_state {state} ·
     agent_self · agent_services · agent_checks · agent_service_register {service,checks} · agent_service_deregister
   {id} · agent_check_register {check,service_id} · agent_check_deregister {id} · agent_check_update {id,status,output}
   · config_get {kind,name} · config_list {kind} · config_list_all · config_put {entry,cas} · config_delete
   {kind,name,cas} · discovery_chain {service} · session_create {name,node,checks,ttl,lock_delay,behavior} ·
   session_renew {id} · session_destroy {id} · session_list · status_leader · read_desired {prefix} · read_catalog
   {services} · apply_plan {plan} · converge_once {prefix,options,max_rounds} and for reads
   {dc,ns,stale,consistent,filter,index,wait,timeout}, for writes {dc,ns,timeout}. Reads answer
   {"index","known_leader","last_contact","value"}, writes {"value"}. An unknown verb or argument is refused by name. */
CVG_API cvg_code cvg_client_begin(cvg_client* client, cvg_slice verb, cvg_slice arguments, uint64_t* id,
                                  cvg_error** error) CVG_NOEXCEPT;
/* Begins and waits, polling the loop meanwhile. */
CVG_API cvg_code cvg_client_call(cvg_client* client, cvg_slice verb, cvg_slice arguments, cvg_buffer* out,
                                 cvg_error** error) CVG_NOEXCEPT;
CVG_API void cvg_client_free(cvg_client* client) CVG_NOEXCEPT;

typedef struct cvg_watch cvg_watch;

/* Repeats a read verb as a blocking query: each change (and each error, once an outage) comes from cvg_loop_next with
 * *id. */
CVG_API cvg_code cvg_watch_start(cvg_client* client, cvg_slice verb, cvg_slice arguments, uint64_t* id, cvg_watch** out,
                                 cvg_error** error) CVG_NOEXCEPT;
/* Nothing more comes from it. */
CVG_API void cvg_watch_free(cvg_watch* watch) CVG_NOEXCEPT;

/* ---- rollouts
 * ------------------------------------------------------------------------------------------------------------ */

typedef struct cvg_rollout cvg_rollout;

/* Drives the rollout of one service. Completions with *id: {"type":"measure","request":{...}} asks for evidence (answer
   with cvg_rollout_measured), {"type":"changed","state":{...}} after each durable state, {"type":"done","state":{...}}
   at the end; a failure ends it too. options: {"prefix"}. */
CVG_API cvg_code cvg_rollout_new(cvg_client* client, cvg_slice service, cvg_slice options, uint64_t* id,
                                 cvg_rollout** out, cvg_error** error) CVG_NOEXCEPT;
/* start: {"rollout","revision","actor"}. */
CVG_API cvg_code cvg_rollout_start(cvg_rollout* rollout, cvg_slice policy, cvg_slice start,
                                   cvg_error** error) CVG_NOEXCEPT;
/* Goes on with what stands in KV. */
CVG_API cvg_code cvg_rollout_resume(cvg_rollout* rollout, cvg_error** error) CVG_NOEXCEPT;
/* command: {"verb": "abort"|"promote"|"pause"|"resume", "actor", "reason"}. Waits until it is durable; out: the state.
 */
CVG_API cvg_code cvg_rollout_command(cvg_rollout* rollout, cvg_slice command, cvg_buffer* out,
                                     cvg_error** error) CVG_NOEXCEPT;
/* measurement: {"epoch","kind","stable":{"requests","errors"},"candidate":{...},"problem"}; CVG_NOT_FOUND: nobody
 * asked. */
CVG_API cvg_code cvg_rollout_measured(cvg_rollout* rollout, cvg_slice measurement, cvg_error** error) CVG_NOEXCEPT;
/* The rollout itself goes on wherever it is resumed. */
CVG_API void cvg_rollout_free(cvg_rollout* rollout) CVG_NOEXCEPT;

/* ---- agents
 * -------------------------------------------------------------------------------------------------------------- */

typedef struct cvg_agent cvg_agent;

/* Filled by a host that keeps what an agent has to know after it was killed. */
typedef struct cvg_hands {
  size_t struct_size;
  void* user_data;
  /* Keeps the memory, a JSON document borrowed until return, in place of the one before: on the disk when it returns
     CVG_OK. Else the agent ends, for nothing may be done that is not remembered. Runs inside the loop's poll. */
  cvg_code (*remember)(void* user_data, cvg_slice memory);
  /* Called once, when the agent is freed and also when making it failed; may be NULL. */
  void (*destroy)(void* user_data);
} cvg_hands;

/* Runs the agent of a node until it is freed: it reads what is wanted and what is there, registers, takes slots and
   writes reports; what touches the node itself is the host's. Completions with *id: the effects of cvg_agent_step
   {"type":"work","id","stage",...}, to be carried out and answered with cvg_agent_done, {"type":"stop-work","id"},
   which wants no answer, and {"type":"collect",...}; with "journal" also {"type":"record","record"}, which cvg_replay
   takes; a failure when the memory could not be kept. options: {"config": {"node","owner","deadline",...},"memory": the
   last one
   remembered,"role","prefix","environment","instance","catalog_node","spread","session_ttl","lock_delay","report_pause",
   "folder": below it programs of checks are looked for in <service id>/<deployment>,"journal"}. */
CVG_API cvg_code cvg_agent_new(cvg_client* client, const cvg_hands* hands, cvg_slice options, uint64_t* id,
                               cvg_agent** out, cvg_error** error) CVG_NOEXCEPT;
/* answer: {"id","ok","problem","facts": {"disk_free","memory_free","port_taken_by"},"spec","digest","undo"}. The facts
   are of stage check-node, the spec of check-package, the digest of fetch, undo of place-aside. CVG_NOT_FOUND: that
   work is not under way. */
CVG_API cvg_code cvg_agent_done(cvg_agent* agent, cvg_slice answer, cvg_error** error) CVG_NOEXCEPT;
/* An array of the services whose files are not as they were installed; taken up when the agent looks at its node. */
CVG_API cvg_code cvg_agent_damaged(cvg_agent* agent, cvg_slice service_ids, cvg_error** error) CVG_NOEXCEPT;
/* command: {"verb": "pause"|"resume"|"retry","service_id"}. */
CVG_API cvg_code cvg_agent_command(cvg_agent* agent, cvg_slice command, cvg_error** error) CVG_NOEXCEPT;
CVG_API cvg_code cvg_agent_state(const cvg_agent* agent, cvg_buffer* out, cvg_error** error) CVG_NOEXCEPT;
/* What runs goes on; the agent's session is given back. */
CVG_API void cvg_agent_free(cvg_agent* agent) CVG_NOEXCEPT;

#ifdef __cplusplus
}
#endif

#endif /* CONVERGENCE_C_H_ */
