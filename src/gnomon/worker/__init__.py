"""Runs tasks: the worker, the processes it forks, and what happens in them."""
