kind = "service-router"
name = "web"
routes {
  match { http { path_prefix = "/a" header { name = "x" present = true } query_param { name = "q" regex = "a.*" } methods = "get" } }
  destination { request_timeout = 1500000000 num_retries = "2" retry_on_connect_failure = 1 prefix_rewrite = "/b" service_subset = "v1" }
}
