Kind = "service-resolver"
Name = "web"
RequestTimeout = "1s"
