Kind = "service-resolver"
Name = "web"
Meta = { a = 1, b = true, "c d" = "e" }
