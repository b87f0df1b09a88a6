kind = "service-resolver"
name = "web"
connect_timeout = 7000000000
default_subset = "v1"
subsets { v1 { filter = "Service.Tags contains a" only_passing = "true" } }
