"""How the HTTP server bears generated requests, load and overload."""
