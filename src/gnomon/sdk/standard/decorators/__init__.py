"""`@task.x` of the standard provider."""
