Kind = "service-resolver"
Name = "web"
Subsets = { "V1" = {} }
