"""Documents that several tests use."""

DEFAULTS = {"Kind": "service-defaults", "Name": "api", "Protocol": "http"}
RESOLVER = {"Kind": "service-resolver", "Name": "api", "DefaultSubset": "v1",
            "Subsets": {"v1": {"Filter": "Service.Meta.version == 1"}, "v2": {"Filter": "Service.Meta.version == 2"}}}
SPLITTER = {"Kind": "service-splitter", "Name": "api",
            "Splits": [{"Weight": 100, "ServiceSubset": "v1"}, {"Weight": 0, "ServiceSubset": "v2"}]}
ROUTER = {"Kind": "service-router", "Name": "api",
          "Routes": [{"Match": {"HTTP": {"PathPrefix": "/"}},
                      "Destination": {"Service": "api", "NumRetries": 3, "RetryOnStatusCodes": [500, 503]}}]}
ENTRIES = [DEFAULTS, RESOLVER, SPLITTER, ROUTER]

POLICY = {"service": "api", "stable_subset": "v1", "candidate_subset": "v2", "steps": [10, 50], "interval": "1s",
          "settle": "1s", "intervals_per_step": 1, "min_requests": 10, "min_success_rate": 0.95, "max_failures": 1}
START = {"type": "start", "at": 1000, "rollout": "r", "revision": "2", "actor": "me"}

SERVICE = {"name": "web", "version": "1", "placement": {"role": "front"}, "port": 80, "generation": 1,
           "package": {"source": "file:///web.zip"}}
NODE = {"Node": "n1", "Address": "10.0.0.1", "Meta": {"role": "front"}}
THEIRS = {"name": "s", "version": "1", "id": "e-s", "deployment": "d", "placement": {"role": "Web"}, "port": 80,
          "package": {"source": "s3://b/k"}}


def instance(node, version):
    """A registration of `api` on a node."""
    return {"Node": node, "Address": "10.0.0.1",
            "Service": {"ID": "api", "Service": "api", "Port": 80, "Meta": {"version": version}}}


def prepare(client):
    """Two passing instances and the entries over them."""
    client.catalog.register(instance("n1", "1"))
    client.catalog.register(instance("n2", "2"))
    for entry in ENTRIES:
        assert client.config.put(entry, cas=0)
