Kind = "service-resolver"
Name = "web"
ConnectTimeout = 0x3b9aca00
