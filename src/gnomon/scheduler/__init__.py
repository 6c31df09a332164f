"""The scheduler: one process that leads, one loop that decides, commits and only then acts."""
