Kind = "terminating-gateway"
Name = "out"
Services = [{ Name = "web", CAFile = "/ca.pem" }]
