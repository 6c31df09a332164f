"""What provider packages import from Airflow's core and not from its SDK, one module for each thing it is about.

Nothing of it is imported unless somebody asks for its name, and nothing reaches the database: what would have to is
refused by `gnomon.sdk.unavailable`, in one sentence.
"""
