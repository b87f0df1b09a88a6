Kind = "service-resolver"
Name = "web"
ConnectTimeout = "15s"
DefaultSubset = "v1"
Subsets = {
  "v1" = { Filter = "Service.Meta.version == v1" }
  v2 = { Filter = "Service.Meta.version == v2", OnlyPassing = true }
}
Failover = {
  "*" = { Datacenters = ["dc2", "dc3"] }
  v2 = { Service = "backup", ServiceSubset = "x" }
}
