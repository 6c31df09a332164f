"""What every part needs: settings, home, clock, logs, metrics, and the life of a loop."""
