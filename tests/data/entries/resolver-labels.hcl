Kind = "service-resolver"
Name = "web"
Subsets "v1" { Filter = "Service.Meta.version == v1" }
Subsets "v2" { OnlyPassing = true }
Failover "v1" { Datacenters = ["dc2"] }
