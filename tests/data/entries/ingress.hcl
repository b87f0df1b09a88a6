Kind = "ingress-gateway"
Name = "in"
Listeners = [{ Port = 8080, Protocol = "http", Services = [{ Name = "web" }] }]
