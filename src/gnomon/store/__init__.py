"""The database: tables, migrations, and verbs by noun. The only place with SQL."""
