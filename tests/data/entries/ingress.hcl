Kind = "ingress-gateway"
Name = "in"
TLS { Enabled = false }
Listeners = [{ Port = 8080, Protocol = "http", Services = [{ Name = "web", Hosts = ["web.example.com"] }] }]
