Kind = "service-resolver"
Name = "web"
Redirect { Service = "other" ServiceSubset = "v1" Datacenter = "dc2" }
