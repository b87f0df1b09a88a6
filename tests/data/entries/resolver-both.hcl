Kind = "service-resolver"
Name = "web"
Redirect { Service = "a" }
Failover = { "*" = { Service = "b" } }
