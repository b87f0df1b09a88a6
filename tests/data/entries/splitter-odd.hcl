Kind = "service-splitter"
Name = "web"
Splits { weight = 33.333 service = "a" }
Splits { weight = 33.333 service = "b" }
Splits { weight = "33.34" }
