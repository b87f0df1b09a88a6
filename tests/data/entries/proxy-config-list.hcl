Kind = "proxy-defaults"
Name = "global"
Config { protocol = "http" }
Config { handshake_timeout_ms = 10000 }
