Kind = "service-splitter"
Name = "web"
Splits = [{ Weight = 1e2 }]
