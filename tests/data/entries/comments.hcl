# one
// two
/* three
   lines */
Kind = "service-defaults" # behind
Name = "web" // behind
Protocol /* between */ = "http"
