Kind = "service-router"
Name = "web"
Routes = [{ Match { HTTP { Header = [{ Name = "a", Exact = "b", Prefix = "c" }] } } }]
