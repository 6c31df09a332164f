"""Waits on behalf of deferred task instances: the service, and the runner of their triggers."""
