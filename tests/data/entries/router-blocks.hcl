Kind = "service-router"
Name = "web"
Routes {
  Match { HTTP { PathExact = "/a" } }
}
Routes {
  Destination { ServiceSubset = "v1" }
}
