Kind = "service-defaults"
Name =
