Kind = "proxy-defaults"
Name = "global"
Config {
  protocol = "http"
  local_connect_timeout_ms = 1000
  nested { a = 1 }
}
MeshGateway = { Mode = "remote" }
