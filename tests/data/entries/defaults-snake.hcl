kind = "service-defaults"
name = "web"
protocol = "HTTP"
mesh_gateway { mode = "local" }
external_sni = "web.example.com"
expose {
  checks = true
  paths = [
    { path = "/health", local_path_port = 8080, listener_port = 21500, protocol = "http2" },
  ]
}
meta { team = "a" }
