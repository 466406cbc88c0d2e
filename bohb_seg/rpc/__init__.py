"""The wire that master and workers share: Pyro4, TLS, plain values, names."""
