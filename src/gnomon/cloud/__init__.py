"""The managed cloud's control plane has its place here, already kept apart from the engine by the import rules."""
