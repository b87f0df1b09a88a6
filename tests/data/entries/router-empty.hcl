Kind = "service-router"
Name = "web"
Routes = []
