Kind = "service-defaults"
Name = "web"
MeshGateway {
