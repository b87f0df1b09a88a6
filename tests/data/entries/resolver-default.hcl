Kind = "service-resolver"
Name = "web"
DefaultSubset = "v9"
