"""Documents that the tests of the commands use."""

WEB = {"schema": 1, "name": "web", "version": "1.0", "placement": {"role": "web"}, "port": 80}
DEFAULTS = {"Kind": "service-defaults", "Name": "api", "Protocol": "http"}
RESOLVER = {"Kind": "service-resolver", "Name": "api", "DefaultSubset": "v1",
            "Subsets": {"v1": {"Filter": "Service.Meta.version == 1"}, "v2": {"Filter": "Service.Meta.version == 2"}}}
SPLITTER = {"Kind": "service-splitter", "Name": "api",
            "Splits": [{"Weight": 100, "ServiceSubset": "v1"}, {"Weight": 0, "ServiceSubset": "v2"}]}
ROUTER = {"Kind": "service-router", "Name": "api",
          "Routes": [{"Match": {"HTTP": {"PathPrefix": "/"}},
                      "Destination": {"Service": "api", "NumRetries": 3, "RetryOnStatusCodes": [500, 503]}}]}
ENTRIES = [DEFAULTS, RESOLVER, SPLITTER, ROUTER]
POLICY = {"schema": 1, "service": "api", "stable_subset": "v1", "candidate_subset": "v2", "steps": [10, 50],
          "interval": "50ms", "settle": "10ms", "intervals_per_step": 1, "min_requests": 10, "min_success_rate": 0.95,
          "max_failures": 1}
