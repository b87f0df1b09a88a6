Kind = "service-splitter"
Name = "web"
Splits = [{ Weight = 99.99 }]
