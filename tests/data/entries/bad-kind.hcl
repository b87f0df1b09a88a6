Kind = "nonsense"
Name = "web"
