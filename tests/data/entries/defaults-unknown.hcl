Kind = "service-defaults"
Name = "web"
Zed  = 1
