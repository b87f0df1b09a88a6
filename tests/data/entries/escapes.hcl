Kind = "service-resolver"
Name = "web"
Subsets = { v1 = { Filter = "Service.Meta[\"a b\"] == \"\u00e9\"" } }
