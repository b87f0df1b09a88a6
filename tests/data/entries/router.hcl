Kind = "service-router"
Name = "web"
Routes = [
  {
    Match {
      HTTP {
        PathPrefix = "/admin"
        Header = [{ Name = "x-debug", Exact = "1", Invert = true }]
        QueryParam = [{ Name = "q", Present = true }]
        Methods = ["get", "PUT"]
      }
    }
    Destination {
      Service = "admin"
      PrefixRewrite = "/"
      RequestTimeout = "1m30s"
      NumRetries = 3
      RetryOnConnectFailure = true
      RetryOnStatusCodes = [500, 503]
    }
  },
  {
    Match { HTTP { PathRegex = "/v[0-9]+/.*" } }
    Destination { Service = "api" }
  },
]
