/* Every function of the C API with an input it takes and one it refuses, in C. Kinds and details of the errors are
   looked at by the tests in Python, which call the same functions. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "convergence/c.h"

static int failures = 0;

static void check(int holds, const char* what, int line) {
  if (holds) return;
  ++failures;
  fprintf(stderr, "c_api_test.c:%d: %s\n", line, what);
}
#define CHECK(expression) check((expression), #expression, __LINE__)

/* The call fails with the code and leaves an error whose kind is the one given. */
#define CHECK_FAILS(call, expected_code, expected_kind)                                    \
  do {                                                                                     \
    cvg_error* error = NULL;                                                               \
    const cvg_code code = (call);                                                          \
    check(code == (expected_code), "code of " #call, __LINE__);                            \
    check(error != NULL, "error of " #call, __LINE__);                                     \
    check(cvg_error_code(error) == code, "cvg_error_code of " #call, __LINE__);            \
    check(strcmp(cvg_error_kind(error), expected_kind) == 0, "kind of " #call, __LINE__);  \
    check(strlen(cvg_error_message(error)) > 0, "message of " #call, __LINE__);            \
    check(cvg_error_detail(error)[0] == '{', "detail of " #call, __LINE__);                \
    if (strcmp(cvg_error_kind(error), expected_kind) != 0)                                 \
      fprintf(stderr, "  kind %s: %s\n", cvg_error_kind(error), cvg_error_message(error)); \
    cvg_error_free(error);                                                                 \
  } while (0)

#define CHECK_OK(call)                                                      \
  do {                                                                      \
    cvg_error* error = NULL;                                                \
    const cvg_code code = (call);                                           \
    check(code == CVG_OK, #call, __LINE__);                                 \
    check(error == NULL, "no error of " #call, __LINE__);                   \
    if (error != NULL) fprintf(stderr, "  %s\n", cvg_error_message(error)); \
    cvg_error_free(error);                                                  \
  } while (0)

/* The buffer holds the text; frees it. */
static void check_contains(cvg_buffer* buffer, const char* text, int line) {
  check(buffer->data != NULL && strstr(buffer->data, text) != NULL, text, line);
  if (buffer->data != NULL && strstr(buffer->data, text) == NULL) fprintf(stderr, "  in: %s\n", buffer->data);
  check(buffer->data == NULL || strlen(buffer->data) == buffer->size, "size of the buffer", line);
  cvg_buffer_free(buffer);
  check(buffer->data == NULL && buffer->size == 0, "emptied buffer", line);
}
#define CHECK_CONTAINS(buffer, text) check_contains(&(buffer), (text), __LINE__)

static cvg_slice none(void) { return cvg_text(NULL); }

static const char* const kDefaults = "{\"Kind\":\"service-defaults\",\"Name\":\"api\",\"Protocol\":\"http\"}";
static const char* const kResolver =
    "{\"Kind\":\"service-resolver\",\"Name\":\"api\",\"Subsets\":{\"v1\":{\"Filter\":\"Service.Meta.version == 1\"},"
    "\"v2\":{\"Filter\":\"Service.Meta.version == 2\"}}}";
static const char* const kSplitter =
    "{\"Kind\":\"service-splitter\",\"Name\":\"api\",\"Splits\":[{\"Weight\":100,\"ServiceSubset\":\"v1\"},"
    "{\"Weight\":0,\"ServiceSubset\":\"v2\"}]}";
static const char* const kPolicy =
    "{\"service\":\"api\",\"stable_subset\":\"v1\",\"candidate_subset\":\"v2\",\"steps\":[50],\"interval\":\"1s\","
    "\"settle\":\"1s\",\"intervals_per_step\":1,\"min_requests\":1,\"min_success_rate\":0.9,\"max_failures\":1}";
static const char* const kStart =
    "{\"type\":\"start\",\"at\":1000,\"rollout\":\"r\",\"revision\":\"2\",\"actor\":\"me\"}";

static void test_basics(void) {
  CHECK(strcmp(cvg_version(), "0.1.0") == 0);
  CHECK(cvg_abi_version() == CVG_ABI_VERSION);
  CHECK(cvg_text("abc").size == 3);
  CHECK(cvg_text(NULL).size == 0);
  CHECK(cvg_error_code(NULL) == CVG_OK);
  CHECK(strcmp(cvg_error_message(NULL), "") == 0);
  CHECK(strcmp(cvg_error_kind(NULL), "") == 0);
  CHECK(strcmp(cvg_error_detail(NULL), "") == 0);
  cvg_error_free(NULL);
  cvg_buffer_free(NULL);
  /* Nobody who does not ask for the error has to free it. */
  CHECK(cvg_undo(cvg_text("["), NULL, NULL) == CVG_FAILED_PRECONDITION);
}

static void test_entries(void) {
  cvg_entries* entries = NULL;
  cvg_buffer out = {NULL, 0};
  CHECK_FAILS(cvg_entries_new(cvg_text("{\"dialect\":\"0.1\"}"), &entries, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK(entries == NULL);
  CHECK_OK(cvg_entries_new(none(), &entries, &error));
  CHECK_FAILS(cvg_entries_put(entries, cvg_text("{\"Kind\":\"nonsense\"}"), &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_entries_put(entries, cvg_text(kDefaults), &error));
  CHECK_OK(cvg_entries_put(entries, cvg_text(kResolver), &error));
  CHECK_OK(cvg_entries_put(entries, cvg_text(kSplitter), &error));
  CHECK_FAILS(cvg_entries_delete(entries, cvg_text("service-defaults"), cvg_text("api"), &error), CVG_INVALID_ARGUMENT,
              "graph");
  CHECK_OK(cvg_entries_delete(entries, cvg_text("service-router"), cvg_text("nobody"), &error));
  CHECK_OK(cvg_entries_get(entries, cvg_text("service-defaults"), cvg_text("api"), &out, &error));
  CHECK_CONTAINS(out, "\"Protocol\":\"http\"");
  CHECK_FAILS(cvg_entries_get(entries, cvg_text("service-router"), cvg_text("api"), &out, &error), CVG_NOT_FOUND,
              "not-found");
  CHECK_OK(cvg_entries_list(entries, cvg_text("service-resolver"), &out, &error));
  CHECK_CONTAINS(out, "Service.Meta.version == 2");
  CHECK_FAILS(cvg_entries_list(NULL, none(), &out, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_entries_compile(entries, cvg_text("api"), none(), &out, &error));
  CHECK_CONTAINS(out, "splitter:api.default");
  CHECK_FAILS(cvg_entries_compile(entries, cvg_text("api"), cvg_text("{\"compile_dc\":7}"), &out, &error),
              CVG_INVALID_ARGUMENT, "decode");
  cvg_entries_free(entries);
  cvg_entries_free(NULL);
}

static void test_pure(void) {
  cvg_entries* entries = NULL;
  cvg_buffer chain = {NULL, 0};
  cvg_buffer out = {NULL, 0};
  cvg_buffer plan = {NULL, 0};
  cvg_buffer catalog = {NULL, 0};
  char wanted[1024];
  CHECK_OK(cvg_entries_new(none(), &entries, &error));
  CHECK_OK(cvg_entries_compile(entries, cvg_text("api"), none(), &chain, &error));
  CHECK_OK(cvg_route(cvg_text(chain.data), cvg_text("{\"path\":\"/x\"}"), &out, &error));
  CHECK_CONTAINS(out, "api.default.dc1");
  CHECK_FAILS(cvg_route(cvg_text(chain.data), cvg_text("{\"path\":7}"), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_route_with_catalog(cvg_text(chain.data), none(), cvg_text("{\"datacenter\":\"dc1\"}"), &out, &error));
  CHECK_CONTAINS(out, "0 of 0 instances healthy");
  CHECK_FAILS(cvg_route_with_catalog(cvg_text(chain.data), none(), cvg_text("{\"nodes\":7}"), &out, &error),
              CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_draw_chain(cvg_text(chain.data), cvg_text("{\"format\":\"dot\"}"), none(), &out, &error));
  CHECK_CONTAINS(out, "digraph chain {");
  CHECK_FAILS(cvg_draw_chain(cvg_text(chain.data), cvg_text("{\"format\":\"oil\"}"), none(), &out, &error),
              CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_import(cvg_text("Kind = \"service-defaults\"\nName = \"web\""), none(), &out, &error));
  CHECK_CONTAINS(out, "\"Kind\":\"service-defaults\"");
  CHECK_FAILS(cvg_import(cvg_text("Kind ="), cvg_text("{\"format\":\"hcl\"}"), &out, &error), CVG_INVALID_ARGUMENT,
              "decode");
  CHECK_OK(cvg_lint(cvg_text("[{\"Kind\":\"service-splitter\",\"Name\":\"a\",\"Splits\":[{\"Weight\":0.53},"
                             "{\"Weight\":99.47,\"Service\":\"b\"}]}]"),
                    none(), &out, &error));
  CHECK_CONTAINS(out, "\"rule\":\"weight-lost\"");
  CHECK_FAILS(cvg_lint(cvg_text("{}"), none(), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  cvg_buffer_free(&chain);
  cvg_entries_free(entries);

  CHECK_OK(cvg_filter(cvg_text("Service.Port == 80"),
                      cvg_text("[{\"Node\":{},\"Service\":{\"Port\":80},\"Checks\":[]}]"), &out, &error));
  CHECK_CONTAINS(out, "80");
  CHECK_FAILS(cvg_filter(cvg_text("Service.Port =="), cvg_text("[]"), &out, &error), CVG_INVALID_ARGUMENT, "filter");
  CHECK_OK(cvg_filter_of_kind(cvg_text("Meta.zone == a"), cvg_text("node"),
                              cvg_text("[{\"Node\":\"n1\",\"Meta\":{\"zone\":\"a\"}},{\"Node\":\"n2\"}]"), &out,
                              &error));
  CHECK_CONTAINS(out, "[{\"Node\":\"n1\",\"Meta\":{\"zone\":\"a\"}}]");
  CHECK_FAILS(cvg_filter_of_kind(cvg_text("Node == n1"), cvg_text("host"), cvg_text("[]"), &out, &error),
              CVG_FAILED_PRECONDITION, "usage");

  snprintf(wanted, sizeof(wanted), "[%s]", kDefaults);
  CHECK_OK(cvg_plan_config(cvg_text(wanted), cvg_text("[]"), none(), &plan, &error));
  CHECK_OK(cvg_undo(cvg_text(plan.data), &out, &error));
  CHECK_CONTAINS(out, "delete-entry");
  CHECK_FAILS(cvg_undo(cvg_text("{\"steps\":7}"), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_describe_plan(cvg_text(plan.data), &out, &error));
  CHECK_CONTAINS(out, "service-defaults/api");
  CHECK_FAILS(cvg_describe_plan(cvg_text("nonsense"), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_CONTAINS(plan, "put-entry");
  CHECK_FAILS(cvg_plan_config(cvg_text("{}"), cvg_text("[]"), none(), &out, &error), CVG_INVALID_ARGUMENT, "decode");

  CHECK_OK(
      cvg_catalog_from_consul(cvg_text("{\"nodes\":[{\"Node\":\"n1\",\"Address\":\"10.0.0.1\"}]}"), &catalog, &error));
  CHECK_FAILS(cvg_catalog_from_consul(cvg_text("{\"nodes\":7}"), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_converge(cvg_text("{\"services\":[],\"entries\":[]}"), cvg_text(catalog.data), none(), &out, &error));
  CHECK_CONTAINS(out, "\"steps\":[]");
  CHECK_FAILS(cvg_converge(cvg_text("{\"services\":[{\"name\":\"\"}]}"), cvg_text(catalog.data), none(), &out, &error),
              CVG_INVALID_ARGUMENT, "validate");
  CHECK_CONTAINS(catalog, "n1");

  CHECK_OK(cvg_canary_step(cvg_text(kPolicy), none(), cvg_text(kStart), &out, &error));
  CHECK_CONTAINS(out, "\"effects\":[{");
  CHECK_FAILS(cvg_canary_step(cvg_text("{}"), none(), cvg_text(kStart), &out, &error), CVG_INVALID_ARGUMENT,
              "validate");
}

static void test_compare(void) {
  cvg_buffer out = {0};
  CHECK_OK(cvg_compare(cvg_text("[{\"canary\":{\"n\":500,\"x\":250},\"primary\":{\"n\":500,\"x\":1}},"
                                "{\"canary\":{\"n\":500,\"x\":250},\"primary\":{\"n\":500,\"x\":1}}]"),
                       cvg_text("{\"phi\":1}"), &out, &error));
  CHECK_CONTAINS(out, "\"verdict\":\"rollback\"");
  CHECK_FAILS(cvg_compare(cvg_text("[]"), cvg_text("{\"alpha\":7}"), &out, &error), CVG_INVALID_ARGUMENT, "validate");

  CHECK_OK(cvg_simulate(cvg_text("{}"), cvg_text("{\"rps\":50,\"canary\":{\"error_add\":0.1}}"), 3, 1, &out, &error));
  CHECK_CONTAINS(out, "\"rolled_back\":3");
  CHECK_FAILS(cvg_simulate(cvg_text("{\"mode\":\"luck\"}"), none(), 3, 1, &out, &error), CVG_INVALID_ARGUMENT,
              "decode");
}

/* A host's transport that answers every request with its own target. */
static cvg_connection* host_connection = NULL;
static int destroyed = 0;
static int cancelled = 0;

static cvg_code host_send(void* user_data, uint64_t id, const cvg_request* request) {
  (void)user_data;
  if (request->method.size != 3) return CVG_UNIMPLEMENTED;
  if (strstr(request->target.data, "stall") != NULL) return CVG_OK; /* answered never */
  if (strstr(request->target.data, "fail") != NULL)
    return cvg_connection_fail(host_connection, id, cvg_text("no line"), NULL);
  return cvg_connection_complete(host_connection, id, 200, cvg_text("[[\"X-Consul-Index\",\"9\"]]"),
                                 cvg_text("\"10.0.0.9:8300\""), NULL);
}
static void host_cancel(void* user_data, uint64_t id) {
  (void)user_data;
  (void)id;
  ++cancelled;
}
static void host_destroy(void* user_data) {
  (void)user_data;
  ++destroyed;
}

static void test_host_transport(void) {
  cvg_loop* loop = NULL;
  cvg_client* client = NULL;
  cvg_buffer out = {NULL, 0};
  uint64_t id = 0;
  cvg_transport transport;
  memset(&transport, 0, sizeof(transport));
  transport.struct_size = sizeof(transport);
  transport.destroy = host_destroy;
  transport.cancel = host_cancel;
  CHECK_OK(cvg_loop_new_simulated(0, &loop, &error));
  CHECK_FAILS(cvg_connection_host(loop, &transport, &host_connection, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK(destroyed == 1); /* also when making it failed */
  transport.send = host_send;
  CHECK_OK(cvg_connection_host(loop, &transport, &host_connection, &error));
  CHECK_OK(cvg_client_new(loop, host_connection, cvg_text("{\"max_tries\":1}"), &client, &error));
  CHECK_OK(cvg_client_call(client, cvg_text("status_leader"), none(), &out, &error));
  CHECK_CONTAINS(out, "10.0.0.9:8300");
  CHECK_FAILS(cvg_client_call(client, cvg_text("kv_get"), cvg_text("{\"key\":\"fail\"}"), &out, &error),
              CVG_UNAVAILABLE, "unreachable");
  CHECK_FAILS(cvg_connection_complete(host_connection, 99, 200, none(), none(), &error), CVG_NOT_FOUND, "not-found");
  CHECK_FAILS(cvg_connection_fail(host_connection, 99, none(), &error), CVG_NOT_FOUND, "not-found");
  /* The host was told to forget the request that nobody waits for any more. */
  CHECK_OK(cvg_client_begin(client, cvg_text("kv_get"), cvg_text("{\"key\":\"stall\"}"), &id, &error));
  CHECK_OK(cvg_loop_poll(loop, 0, NULL, &error));
  cvg_client_free(client);
  CHECK(cancelled == 1);
  cvg_connection_free(host_connection);
  CHECK(destroyed == 2);
  cvg_loop_free(loop);
}

static const char* const kService =
    "{\"name\":\"web\",\"version\":\"2\",\"placement\":{\"role\":\"front\"},\"port\":80,\"generation\":2,"
    "\"package\":{\"source\":\"file:///web.zip\"},\"progress\":{\"generation\":2,\"phase\":\"first-wave\","
    "\"first_wave\":[\"n1\"],\"nodes\":2},\"last_good\":{\"version\":\"1\"}}";
static const char* const kAgent = "{\"schema\":1,\"config\":{\"node\":\"n1\"},\"memory\":{\"schema\":1}}";

static void test_node(void) {
  cvg_buffer out = {NULL, 0};
  char text[2048];
  CHECK_OK(cvg_agent_step(cvg_text(kAgent), cvg_text("{\"at\":1,\"type\":\"started\"}"), &out, &error));
  CHECK_CONTAINS(out, "{\"type\":\"read-local\"}");
  CHECK_FAILS(cvg_agent_step(cvg_text(kAgent), cvg_text("{\"at\":1,\"type\":\"stop\"}"), &out, &error),
              CVG_INVALID_ARGUMENT, "decode");
  snprintf(text, sizeof(text), "{\"begin\":%s}\n{\"event\":{\"at\":1,\"type\":\"started\"}}\n", kAgent);
  CHECK_OK(cvg_replay(cvg_text(text), &out, &error));
  CHECK_CONTAINS(out, "{\"processes\":1,\"steps\":[{\"event\":{\"at\":1,\"type\":\"started\"},\"step\":");
  strcat(text, "{\"step\":{\"effects\":[]}}");
  CHECK_FAILS(cvg_replay(cvg_text(text), &out, &error), CVG_ABORTED, "conflict");

  snprintf(text, sizeof(text), "[%s]", kService);
  CHECK_OK(cvg_plan_node(cvg_text(text), cvg_text("{\"node\":\"n1\"}"), &out, &error));
  CHECK_CONTAINS(out, "\"service_id\":\"web\",\"action\":\"install\"");
  CHECK_FAILS(cvg_plan_node(cvg_text(text), none(), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_services_on(cvg_text(text), cvg_text("{\"Node\":\"n1\",\"Meta\":{\"role\":\"back\"}}"), &out, &error));
  CHECK_CONTAINS(out, "[]");
  CHECK_FAILS(cvg_services_on(cvg_text(kService), none(), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_target_on(cvg_text(kService), cvg_text("n2"), cvg_text("1@1"), &out, &error));
  CHECK_CONTAINS(out, "\"why\":\"2 waits for the first wave: n1\"");
  CHECK_FAILS(cvg_target_on(cvg_text("{}"), cvg_text("n2"), none(), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_appspec(cvg_text("version: 0.0\nos: linux\nfiles:\n  - {source: /, destination: /opt/web}\n"), none(),
                       &out, &error));
  CHECK_CONTAINS(out, "\"files\":[{\"source\":\"/\",\"destination\":\"/opt/web\"}]");
  CHECK_FAILS(cvg_appspec(cvg_text("version: 0.0\nos: linux\nfiles: 7\n"), none(), &out, &error), CVG_INVALID_ARGUMENT,
              "decode");
  CHECK_OK(cvg_agent_rules(cvg_text("{\"role\":\"front\",\"node\":\"n1\"}"), &out, &error));
  CHECK_CONTAINS(out, "convergence/desired/front/");
  CHECK_FAILS(cvg_agent_rules(cvg_text("{\"roles\":[]}"), &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_operator_rules(none(), &out, &error));
  CHECK_CONTAINS(out, "convergence/");
  CHECK_FAILS(cvg_operator_rules(cvg_text("{\"node\":7}"), &out, &error), CVG_INVALID_ARGUMENT, "decode");
}

static void test_fleet(void) {
  static const char* const kCatalog = "{\"nodes\":[{\"Node\":\"n1\",\"Meta\":{\"role\":\"front\"}}]}";
  static const char* const kRole = "{\"environment\":\"e\",\"role\":\"Web\"}";
  cvg_buffer out = {NULL, 0};
  CHECK_OK(cvg_fleet_of(cvg_text(kService), cvg_text(kCatalog), none(), &out, &error));
  CHECK_CONTAINS(out, "\"nodes\":[{\"name\":\"n1\",\"status\":\"critical\"}]");
  CHECK_FAILS(cvg_fleet_of(cvg_text(kService), cvg_text(kCatalog), cvg_text("{\"n1\":7}"), &out, &error),
              CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_advance(cvg_text(kService), cvg_text("{\"nodes\":[{\"name\":\"n1\",\"failed\":\"no room\"}]}"), 7, &out,
                       &error));
  CHECK_CONTAINS(out, "no room");
  CHECK_FAILS(cvg_advance(cvg_text(kService), cvg_text("[]"), 7, &out, &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_status_of(cvg_text(kService), cvg_text(kCatalog), none(), &out, &error));
  CHECK_CONTAINS(out, "\"standing\":\"missing\"");
  CHECK_FAILS(cvg_status_of(cvg_text(kService), cvg_text(kCatalog), cvg_text("{\"n1\":{\"Status\":7}}"), &out, &error),
              CVG_INVALID_ARGUMENT, "decode");
  CHECK_OK(cvg_deploy(cvg_text(kService), cvg_text("{\"version\":\"3\"}"), 0, &out, &error));
  CHECK_CONTAINS(out, "\"generation\":3");
  CHECK_FAILS(cvg_deploy(cvg_text(kService), cvg_text("{\"version\":3}"), 0, &out, &error), CVG_INVALID_ARGUMENT,
              "decode");
  CHECK_OK(cvg_cancel(cvg_text(kService), cvg_text("{\"by\":\"ann\",\"reason\":\"too slow\"}"), &out, &error));
  CHECK_CONTAINS(out, "ann: too slow");
  CHECK_FAILS(cvg_cancel(cvg_text("{\"name\":\"web\",\"version\":\"1\"}"), none(), &out, &error), CVG_INVALID_ARGUMENT,
              "refused");
  CHECK_OK(cvg_toggle(cvg_text(kService), 0, &out, &error));
  CHECK_CONTAINS(out, "\"action\":\"ignore\"");
  CHECK_FAILS(cvg_toggle(none(), 0, &out, &error), CVG_INVALID_ARGUMENT, "decode");

  /* {"Version":"1","DeploymentId":"d"} */
  CHECK_OK(cvg_import_environment(cvg_text("[{\"Key\":\"environments/e/roles/Web/services/s/none\","
                                           "\"Value\":\"eyJWZXJzaW9uIjoiMSIsIkRlcGxveW1lbnRJZCI6ImQifQ==\"}]"),
                                  cvg_text(kRole), &out, &error));
  CHECK_CONTAINS(out,
                 "\"needs\":[\"environments/e/services/s/1/definition\",\"environments/e/services/s/1/installation\"]");
  CHECK_FAILS(cvg_import_environment(cvg_text("[]"), none(), &out, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_export_environment(cvg_text("{\"name\":\"s\",\"version\":\"1\",\"id\":\"e-s\",\"deployment\":\"d\","
                                           "\"placement\":{\"role\":\"Web\"},\"port\":80,\"package\":{\"source\":"
                                           "\"s3://b/k\"}}"),
                                  cvg_text(kRole), cvg_text("[]"), 2, &out, &error));
  CHECK_CONTAINS(out, "environments/e/roles/Web/services/s/none");
  CHECK_FAILS(cvg_export_environment(cvg_text(kService), cvg_text(kRole), none(), 2, &out, &error),
              CVG_INVALID_ARGUMENT, "decode");
}

static void test_loop(void) {
  cvg_loop* loop = NULL;
  cvg_loop* real = NULL;
  cvg_buffer document = {NULL, 0};
  cvg_error* failure = NULL;
  uint64_t id = 0;
  int32_t ran = -1;
  CHECK_FAILS(cvg_loop_new(NULL, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_FAILS(cvg_loop_new_simulated(-1, &loop, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_loop_new(&real, &error));
  CHECK(cvg_loop_descriptor(real) >= 0);
  CHECK(cvg_loop_now(real) > 0);
  CHECK_FAILS(cvg_loop_advance(real, 1, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_loop_poll(real, 0, &ran, &error));
  CHECK(ran == 0);
  CHECK_FAILS(cvg_loop_poll(NULL, 0, &ran, &error), CVG_FAILED_PRECONDITION, "usage");
  cvg_loop_free(real);
  CHECK_OK(cvg_loop_new_simulated(1000, &loop, &error));
  CHECK(cvg_loop_descriptor(loop) == -1);
  CHECK(cvg_loop_descriptor(NULL) == -1);
  CHECK_OK(cvg_loop_advance(loop, 234, &error));
  CHECK(cvg_loop_now(loop) == 1234);
  CHECK(cvg_loop_now(NULL) == 0);
  CHECK(cvg_loop_next_due(loop) == INT64_MAX);
  CHECK(cvg_loop_next_due(NULL) == INT64_MAX);
  CHECK(cvg_loop_next(loop, &id, &document, &failure) == 0);
  CHECK(cvg_loop_next(NULL, &id, &document, &failure) == 0);
  cvg_loop_free(loop);
  cvg_loop_free(NULL);
}

static void test_connections(void) {
  cvg_loop* loop = NULL;
  cvg_loop* real = NULL;
  cvg_memory_consul* consul = NULL;
  cvg_connection* memory = NULL;
  cvg_connection* record = NULL;
  cvg_connection* replay = NULL;
  cvg_connection* fault = NULL;
  cvg_connection* curl = NULL;
  cvg_client* client = NULL;
  cvg_buffer recording = {NULL, 0};
  cvg_buffer out = {NULL, 0};
  CHECK_OK(cvg_loop_new_simulated(0, &loop, &error));
  CHECK_FAILS(cvg_memory_consul_new(loop, cvg_text("{\"colour\":\"red\"}"), &consul, &error), CVG_FAILED_PRECONDITION,
              "usage");
  CHECK_OK(cvg_memory_consul_new(loop, cvg_text("{\"datacenter\":\"east\"}"), &consul, &error));
  CHECK_FAILS(cvg_memory_consul_connect(NULL, &memory, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_memory_consul_connect(consul, &memory, &error));
  CHECK_FAILS(cvg_connection_recording(memory, &out, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_FAILS(cvg_connection_record(loop, NULL, &record, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_connection_record(loop, memory, &record, &error));
  CHECK_OK(cvg_client_new(loop, record, none(), &client, &error));
  CHECK_OK(cvg_client_call(client, cvg_text("kv_put"), cvg_text("{\"key\":\"a\",\"value\":\"b\"}"), &out, &error));
  CHECK_CONTAINS(out, "true");
  CHECK_OK(cvg_connection_recording(record, &recording, &error));
  cvg_client_free(client);
  cvg_connection_free(record);

  CHECK_OK(cvg_connection_replay(loop, cvg_text(recording.data), &replay, &error));
  CHECK_OK(cvg_client_new(loop, replay, none(), &client, &error));
  CHECK_OK(cvg_client_call(client, cvg_text("kv_put"), cvg_text("{\"key\":\"a\",\"value\":\"b\"}"), &out, &error));
  CHECK_CONTAINS(out, "true");
  cvg_client_free(client);
  cvg_connection_free(replay);
  CHECK_CONTAINS(recording, "/v1/kv/a");
  CHECK_FAILS(cvg_connection_replay(loop, cvg_text("{}"), &replay, &error), CVG_INVALID_ARGUMENT, "decode");

  CHECK_FAILS(cvg_connection_fault(loop, memory, cvg_text("[{\"kind\":\"rot\"}]"), &fault, &error),
              CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_connection_fault(loop, memory, cvg_text("[{\"kind\":\"status\",\"status\":503,\"body\":\"full\"}]"),
                                &fault, &error));
  CHECK_OK(cvg_client_new(loop, fault, none(), &client, &error));
  CHECK_FAILS(cvg_client_call(client, cvg_text("kv_get"), cvg_text("{\"key\":\"a\"}"), &out, &error), CVG_UNAVAILABLE,
              "server");
  cvg_client_free(client);
  cvg_connection_free(fault);

  CHECK_FAILS(cvg_connection_curl(loop, none(), &curl, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_loop_new(&real, &error));
  CHECK_OK(
      cvg_connection_curl(real, cvg_text("{\"address\":\"127.0.0.1:1\",\"connect_timeout\":\"1s\"}"), &curl, &error));
  CHECK_OK(cvg_client_new(real, curl, cvg_text("{\"max_tries\":1}"), &client, &error));
  CHECK_FAILS(cvg_client_call(client, cvg_text("status_leader"), none(), &out, &error), CVG_UNAVAILABLE, "unreachable");
  cvg_client_free(client);
  cvg_connection_free(curl);
  cvg_loop_free(real);
  cvg_connection_free(memory);
  cvg_connection_free(NULL);
  cvg_memory_consul_free(consul);
  cvg_memory_consul_free(NULL);
  cvg_loop_free(loop);
}

static void test_serve(void) {
  cvg_loop* loop = NULL;
  cvg_memory_consul* consul = NULL;
  cvg_connection* curl = NULL;
  cvg_client* client = NULL;
  cvg_buffer out = {NULL, 0};
  uint16_t port = 0;
  char options[64];
  CHECK_OK(cvg_loop_new(&loop, &error));
  CHECK_OK(cvg_memory_consul_new(loop, none(), &consul, &error));
  CHECK_OK(cvg_memory_consul_serve(consul, 0, &port, &error));
  CHECK(port != 0);
  CHECK_FAILS(cvg_memory_consul_serve(consul, 0, &port, &error), CVG_FAILED_PRECONDITION, "usage");
  snprintf(options, sizeof(options), "{\"address\":\"127.0.0.1:%d\"}", (int)port);
  CHECK_OK(cvg_connection_curl(loop, cvg_text(options), &curl, &error));
  CHECK_OK(cvg_client_new(loop, curl, none(), &client, &error));
  CHECK_OK(cvg_client_call(client, cvg_text("kv_keys"), cvg_text("{\"prefix\":\"\"}"), &out, &error));
  CHECK_CONTAINS(out, "\"value\":[]");
  cvg_client_free(client);
  cvg_connection_free(curl);
  cvg_memory_consul_free(consul);
  cvg_loop_free(loop);
}

/* Polls until something completes; simulated time moves from timer to timer. */
static int next_completion(cvg_loop* loop, uint64_t* id, cvg_buffer* document, cvg_error** failure) {
  int rounds = 0;
  for (rounds = 0; rounds < 10000; ++rounds) {
    int32_t ran = 0;
    if (cvg_loop_next(loop, id, document, failure)) return 1;
    cvg_loop_poll(loop, 0, &ran, NULL);
    if (ran == 0 && cvg_loop_next_due(loop) != INT64_MAX) {
      cvg_loop_advance(loop, cvg_loop_next_due(loop) - cvg_loop_now(loop), NULL);
    }
  }
  return 0;
}

static void test_client_and_watch(void) {
  cvg_loop* loop = NULL;
  cvg_memory_consul* consul = NULL;
  cvg_connection* connection = NULL;
  cvg_client* client = NULL;
  cvg_watch* watch = NULL;
  cvg_buffer document = {NULL, 0};
  cvg_buffer out = {NULL, 0};
  cvg_error* failure = NULL;
  uint64_t id = 0;
  uint64_t watch_id = 0;
  uint64_t done = 0;
  CHECK_OK(cvg_loop_new_simulated(0, &loop, &error));
  CHECK_OK(cvg_memory_consul_new(loop, none(), &consul, &error));
  CHECK_OK(cvg_memory_consul_connect(consul, &connection, &error));
  CHECK_FAILS(cvg_client_new(loop, connection, cvg_text("{\"max_tries\":0}"), &client, &error), CVG_FAILED_PRECONDITION,
              "usage");
  CHECK_OK(cvg_client_new(loop, connection, none(), &client, &error));
  CHECK_FAILS(cvg_client_begin(client, cvg_text("kv_fetch"), none(), &id, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_client_begin(client, cvg_text("kv_put"), cvg_text("{\"key\":\"a\",\"value\":\"1\"}"), &id, &error));
  CHECK(next_completion(loop, &done, &document, &failure));
  CHECK(done == id);
  CHECK(failure == NULL);
  CHECK_CONTAINS(document, "{\"value\":true}");
  CHECK_FAILS(cvg_client_call(client, cvg_text("kv_get"), none(), &out, &error), CVG_FAILED_PRECONDITION, "usage");

  CHECK_FAILS(cvg_watch_start(client, cvg_text("kv_put"), none(), &watch_id, &watch, &error), CVG_FAILED_PRECONDITION,
              "usage");
  CHECK_OK(cvg_watch_start(client, cvg_text("kv_get"), cvg_text("{\"key\":\"a\"}"), &watch_id, &watch, &error));
  CHECK(next_completion(loop, &done, &document, &failure));
  CHECK(done == watch_id);
  CHECK_CONTAINS(document, "\"Value\":\"MQ==\"");
  CHECK_OK(cvg_client_call(client, cvg_text("kv_put"), cvg_text("{\"key\":\"a\",\"value\":\"2\"}"), &out, &error));
  CHECK_CONTAINS(out, "true");
  CHECK(next_completion(loop, &done, &document, &failure));
  CHECK(done == watch_id);
  CHECK_CONTAINS(document, "\"Value\":\"Mg==\"");
  cvg_watch_free(watch);
  cvg_watch_free(NULL);
  cvg_client_free(client);
  cvg_client_free(NULL);
  cvg_connection_free(connection);
  cvg_memory_consul_free(consul);
  cvg_loop_free(loop);
}

/* Writes what a rollout needs: entries, a node, passing instances of both versions. */
static void prepare_rollout(cvg_client* client) {
  static const char* const kVersions[] = {"1", "2"};
  const char* entries[3];
  char text[1024];
  cvg_buffer out = {NULL, 0};
  int i = 0;
  for (i = 0; i < 2; ++i) {
    snprintf(
        text, sizeof(text),
        "{\"registration\":{\"Node\":\"n%s\",\"Address\":\"10.0.0.%s\",\"Service\":{\"ID\":\"api\",\"Service\":\"api\","
        "\"Port\":80,\"Meta\":{\"version\":\"%s\"}}}}",
        kVersions[i], kVersions[i], kVersions[i]);
    CHECK_OK(cvg_client_call(client, cvg_text("catalog_register"), cvg_text(text), &out, &error));
    cvg_buffer_free(&out);
  }
  entries[0] = kDefaults;
  entries[1] = kResolver;
  entries[2] = kSplitter;
  for (i = 0; i < 3; ++i) {
    snprintf(text, sizeof(text), "{\"entry\":%s,\"cas\":0}", entries[i]);
    CHECK_OK(cvg_client_call(client, cvg_text("config_put"), cvg_text(text), &out, &error));
    CHECK_CONTAINS(out, "true");
  }
}

/* Answers each question for evidence with a good measurement until the rollout is done. */
static void drive_rollout(cvg_loop* loop, cvg_rollout* rollout, uint64_t id) {
  cvg_buffer document = {NULL, 0};
  cvg_error* failure = NULL;
  uint64_t done = 0;
  while (next_completion(loop, &done, &document, &failure)) {
    CHECK(done == id);
    CHECK(failure == NULL);
    if (failure != NULL) {
      fprintf(stderr, "  %s\n", cvg_error_message(failure));
      cvg_error_free(failure);
      return;
    }
    if (strncmp(document.data, "{\"type\":\"measure\"", 17) == 0) {
      char answer[256];
      const char* epoch = strstr(document.data, "\"epoch\":");
      snprintf(
          answer, sizeof(answer),
          "{\"epoch\":%ld,\"stable\":{\"requests\":500,\"errors\":1},\"candidate\":{\"requests\":500,\"errors\":1}}",
          strtol(epoch + 8, NULL, 10));
      CHECK_OK(cvg_rollout_measured(rollout, cvg_text(answer), &error));
    } else if (strncmp(document.data, "{\"type\":\"done\"", 14) == 0) {
      CHECK_CONTAINS(document, "succeeded");
      return;
    }
    cvg_buffer_free(&document);
  }
  CHECK(!"the rollout ended");
}

static void test_rollout(void) {
  cvg_loop* loop = NULL;
  cvg_memory_consul* consul = NULL;
  cvg_connection* connection = NULL;
  cvg_client* client = NULL;
  cvg_rollout* rollout = NULL;
  cvg_buffer out = {NULL, 0};
  cvg_buffer document = {NULL, 0};
  cvg_error* failure = NULL;
  uint64_t id = 0;
  uint64_t done = 0;
  CHECK_OK(cvg_loop_new_simulated(0, &loop, &error));
  CHECK_OK(cvg_memory_consul_new(loop, none(), &consul, &error));
  CHECK_OK(cvg_memory_consul_connect(consul, &connection, &error));
  CHECK_OK(cvg_client_new(loop, connection, none(), &client, &error));
  prepare_rollout(client);
  CHECK_FAILS(cvg_rollout_new(client, none(), none(), &id, &rollout, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_rollout_new(client, cvg_text("api"), none(), &id, &rollout, &error));
  CHECK_FAILS(cvg_rollout_measured(rollout, cvg_text("{\"epoch\":7}"), &error), CVG_NOT_FOUND, "not-found");
  CHECK_FAILS(cvg_rollout_command(rollout, cvg_text("{\"verb\":\"dance\"}"), &out, &error), CVG_INVALID_ARGUMENT,
              "decode");
  CHECK_FAILS(cvg_rollout_resume(NULL, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_FAILS(cvg_rollout_start(rollout, cvg_text("[]"), none(), &error), CVG_INVALID_ARGUMENT, "decode");
  /* Nothing stands in KV: the resumed run ends with that. */
  CHECK_OK(cvg_rollout_resume(rollout, &error));
  CHECK(next_completion(loop, &done, &document, &failure));
  CHECK(done == id && failure != NULL && cvg_error_code(failure) == CVG_NOT_FOUND);
  cvg_error_free(failure);
  cvg_rollout_free(rollout);

  CHECK_OK(cvg_rollout_new(client, cvg_text("api"), none(), &id, &rollout, &error));
  CHECK_OK(cvg_rollout_start(rollout, cvg_text(kPolicy), cvg_text("{\"rollout\":\"r\",\"revision\":\"2\"}"), &error));
  drive_rollout(loop, rollout, id);
  cvg_rollout_free(rollout);
  /* A rollout that is over takes no command; and the state says so. */
  CHECK_OK(cvg_rollout_new(client, cvg_text("api"), none(), &id, &rollout, &error));
  CHECK_OK(cvg_rollout_command(rollout, cvg_text("{\"verb\":\"pause\",\"actor\":\"me\"}"), &out, &error));
  CHECK_CONTAINS(out, "succeeded");
  cvg_rollout_free(rollout);
  cvg_rollout_free(NULL);
  cvg_client_free(client);
  cvg_connection_free(connection);
  cvg_memory_consul_free(consul);
  cvg_loop_free(loop);
}

static int remembered = 0;
static cvg_code remember(void* user_data, cvg_slice memory) {
  CHECK(user_data == &remembered);
  CHECK(memory.size > 0 && memory.data[0] == '{');
  ++remembered;
  return CVG_OK;
}
static void forget(void* user_data) {
  CHECK(user_data == &remembered);
  remembered = -1;
}

/* The id of the next work, 0 when something else came. */
static unsigned long next_work(cvg_loop* loop, uint64_t id, const char* stage) {
  static const char* const kWork = "{\"type\":\"work\",\"id\":";
  cvg_buffer document = {NULL, 0};
  cvg_error* failure = NULL;
  uint64_t done = 0;
  unsigned long work = 0;
  CHECK(next_completion(loop, &done, &document, &failure));
  CHECK(done == id && failure == NULL && document.data != NULL);
  if (document.data == NULL) return 0;
  if (strncmp(document.data, kWork, strlen(kWork)) == 0) work = strtoul(document.data + strlen(kWork), NULL, 10);
  CHECK_CONTAINS(document, stage);
  return work;
}

static void test_agent(void) {
  cvg_loop* loop = NULL;
  cvg_memory_consul* consul = NULL;
  cvg_connection* connection = NULL;
  cvg_client* client = NULL;
  cvg_agent* agent = NULL;
  cvg_buffer out = {NULL, 0};
  cvg_hands hands = {sizeof(cvg_hands), NULL, NULL, NULL};
  uint64_t id = 0;
  char text[1024];
  static const char* const kOptions =
      "{\"config\":{\"node\":\"n1\"},\"role\":\"front\",\"catalog_node\":{\"Node\":\"n1\",\"Address\":\"10.0.0.1\","
      "\"Meta\":{\"role\":\"front\"}}}";
  CHECK_OK(cvg_loop_new_simulated(0, &loop, &error));
  CHECK_OK(cvg_memory_consul_new(loop, none(), &consul, &error));
  CHECK_OK(cvg_memory_consul_connect(consul, &connection, &error));
  CHECK_OK(cvg_client_new(loop, connection, none(), &client, &error));
  snprintf(text, sizeof(text),
           "{\"operations\":[{\"KV\":{\"Verb\":\"set\",\"Key\":\"convergence/desired/front/web/none\","
           "\"Value\":"
           "\"eyJuYW1lIjoid2ViIiwidmVyc2lvbiI6IjEiLCJwbGFjZW1lbnQiOnsicm9sZSI6ImZyb250In0sImdlbmVyYXRpb24iOjEsInBhY2"
           "thZ2UiOnsic291cmNlIjoiZmlsZTovLy93ZWIuemlwIn19\"}}]}");
  CHECK_OK(cvg_client_call(client, cvg_text("txn"), cvg_text(text), &out, &error));
  CHECK_CONTAINS(out, "\"Errors\":[]");
  CHECK_OK(cvg_client_call(
      client, cvg_text("catalog_register"),
      cvg_text("{\"registration\":{\"Node\":\"n1\",\"Address\":\"10.0.0.1\",\"NodeMeta\":{\"role\":\"front\"}}}"), &out,
      &error));
  cvg_buffer_free(&out);

  CHECK_FAILS(cvg_agent_new(client, &hands, cvg_text(kOptions), &id, &agent, &error), CVG_FAILED_PRECONDITION, "usage");
  hands.user_data = &remembered;
  hands.remember = remember;
  hands.destroy = forget;
  CHECK_FAILS(cvg_agent_new(client, &hands, cvg_text("{\"roles\":1}"), &id, &agent, &error), CVG_FAILED_PRECONDITION,
              "usage");
  CHECK(remembered == -1);
  remembered = 0;
  CHECK_OK(cvg_agent_new(client, &hands, cvg_text(kOptions), &id, &agent, &error));
  CHECK_FAILS(cvg_agent_done(agent, cvg_text("{\"id\":9}"), &error), CVG_NOT_FOUND, "not-found");
  CHECK_OK(cvg_agent_damaged(agent, cvg_text("[]"), &error));
  CHECK_FAILS(cvg_agent_damaged(agent, cvg_text("{}"), &error), CVG_INVALID_ARGUMENT, "decode");
  CHECK_FAILS(cvg_agent_command(agent, cvg_text("{\"verb\":\"stop\"}"), &error), CVG_INVALID_ARGUMENT, "decode");
  snprintf(text, sizeof(text), "{\"id\":%lu,\"facts\":{\"disk_free\":1000}}", next_work(loop, id, "check-node"));
  CHECK(remembered > 0);
  CHECK_OK(cvg_agent_done(agent, cvg_text(text), &error));
  snprintf(text, sizeof(text), "{\"id\":%lu,\"ok\":false,\"problem\":\"no such file\"}", next_work(loop, id, "fetch"));
  CHECK_OK(cvg_agent_done(agent, cvg_text(text), &error));
  CHECK_OK(cvg_agent_state(agent, &out, &error));
  CHECK_CONTAINS(out, "no such file");
  CHECK_FAILS(cvg_agent_state(NULL, &out, &error), CVG_FAILED_PRECONDITION, "usage");
  CHECK_OK(cvg_agent_command(agent, cvg_text("{\"verb\":\"pause\"}"), &error));
  CHECK_OK(cvg_agent_state(agent, &out, &error));
  CHECK_CONTAINS(out, "\"paused\":true");
  cvg_agent_free(agent);
  CHECK(remembered == -1);
  cvg_agent_free(NULL);
  cvg_client_free(client);
  cvg_connection_free(connection);
  cvg_memory_consul_free(consul);
  cvg_loop_free(loop);
}

int main(void) {
  test_basics();
  test_entries();
  test_pure();
  test_node();
  test_fleet();
  test_compare();
  test_loop();
  test_host_transport();
  test_connections();
  test_serve();
  test_client_and_watch();
  test_rollout();
  test_agent();
  if (failures == 0) printf("every function takes its good input and refuses its bad one\n");
  return failures == 0 ? 0 : 1;
}
