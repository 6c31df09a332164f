"""Triggers of the standard provider."""
