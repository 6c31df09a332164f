"""One module per kind of resource; see `gnomon.api.public.app` for the list."""
