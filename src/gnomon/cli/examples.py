"""Examples for the help pages, by command; each is tried against the command's options by a test."""

from __future__ import annotations

from collections.abc import Iterable

#: What is shown for a command, by its words behind the name of the program.
EXAMPLES: dict[str, tuple[str, ...]] = {
    "dev init": ("gnomon dev init my_project", "gnomon dev init --airflow-version 2.10 my_project"),
    "dev start": ("gnomon dev start", "gnomon dev start --env .dev --port 9090", "gnomon dev start --foreground"),
    "dev restart": ("gnomon dev restart", "gnomon dev restart --env .dev"),
    "dev ps": ("gnomon dev ps", "gnomon dev ps --json"),
    "dev logs": ("gnomon dev logs -f", "gnomon dev logs --scheduler --lines 20"),
    "dev parse": ("gnomon dev parse", "gnomon dev parse --warnings dags/orders.py"),
    "dev pytest": (
        "gnomon dev pytest",
        "gnomon dev pytest test_orders.py -x",
        'gnomon dev pytest --args "-k orders -q"',
    ),
    "dev run": ("gnomon dev run dags list", "gnomon dev run variables set greeting hello"),
    "dev bash": ("gnomon dev bash", "gnomon dev bash --env .dev"),
    "dev object import": ("gnomon dev object import", "gnomon dev object import --variables"),
    "dev object export": ("gnomon dev object export", "gnomon dev object export --env-export"),
    "env sync": ("gnomon env sync",),
    "env install": ("gnomon env install apache-airflow-providers-http", "gnomon env install -r requirements.txt"),
    "env records": ("gnomon env records airflow/",),
    "run": (
        "gnomon run orders",
        'gnomon run orders --conf \'{"region": "north"}\' --logical-date 2026-01-31',
        "gnomon run orders --json",
    ),
    "standalone": ("gnomon standalone", "gnomon standalone --port 9090"),
    "worker": ("gnomon worker --slots 8 --queues default,heavy",),
    "triggerer": ("gnomon triggerer --capacity 500",),
    "api-server": ("gnomon api-server --host 0.0.0.0 --port 8080",),
    "db migrate": ("airflow db migrate",),
    "db check-migrations": ("airflow db check-migrations --migration-wait-timeout 60",),
    "db reset": ("airflow db reset --yes",),
    "db clean": (
        "airflow db clean --clean-before-timestamp 2026-01-01 --dry-run",
        "airflow db clean --clean-before-timestamp 2026-01-01 --tables dag_run,log --yes",
    ),
    "db export-archived": ("airflow db export-archived --output-path /backup --drop-archives --yes",),
    "dags list": ("airflow dags list", "airflow dags list -o json"),
    "dags list-runs": ("airflow dags list-runs orders --state failed",),
    "dags trigger": ("airflow dags trigger orders", 'airflow dags trigger orders --conf \'{"region": "north"}\''),
    "dags pause": ("airflow dags pause orders", "airflow dags pause --treat-dag-id-as-regex 'orders_.*' --yes"),
    "dags unpause": ("airflow dags unpause orders",),
    "dags next-execution": ("airflow dags next-execution orders --num-executions 5",),
    "dags show": ("airflow dags show orders", "airflow dags show orders --save orders.dot"),
    "dags show-dependencies": ("airflow dags show-dependencies --save dags.dot",),
    "dags clear": (
        "airflow dags clear orders --run-id manual__2026-01-31T06:00:00+00:00 --only-failed",
        "airflow dags clear orders --partition-date-start 2026-01-01 --partition-date-end 2026-01-31 --yes",
    ),
    "dags test": ("airflow dags test orders 2026-01-31",),
    "tasks list": ("airflow tasks list orders",),
    "tasks test": ("airflow tasks test orders load 2026-01-31",),
    "tasks render": ("airflow tasks render orders load 2026-01-31",),
    "tasks failed-deps": ("airflow tasks failed-deps orders load manual__2026-01-31T06:00:00+00:00",),
    "tasks state": ("airflow tasks state orders load 2026-01-31",),
    "tasks clear": ("airflow tasks clear orders --task-regex '^load' --downstream --yes",),
    "variables set": (
        "airflow variables set greeting hello",
        "airflow variables set limits '{\"rows\": 100}' --description 'per load'",
    ),
    "variables get": ("airflow variables get greeting", "airflow variables get greeting --default none"),
    "variables import": ("airflow variables import variables.json",),
    "variables export": ("airflow variables export variables.json",),
    "connections add": (
        "airflow connections add warehouse --conn-uri postgresql://user:password@db:5432/sales",
        "airflow connections add warehouse --conn-type postgres --conn-host db --conn-login user",
    ),
    "connections get": ("airflow connections get warehouse -o yaml",),
    "connections import": ("airflow connections import connections.yaml --overwrite",),
    "connections export": ("airflow connections export connections.json",),
    "pools set": ('airflow pools set warehouse 4 "queries at a time"',),
    "pools import": ("airflow pools import pools.json",),
    "config get-value": ("airflow config get-value core dags_folder",),
    "config list": ("airflow config list --section core --include-sources",),
}


def examples_of(path: str) -> Iterable[str]:
    """Return the examples of a command.

    Args:
        path: how it was called, with the name of the program.
    """
    words = path.split()[1:]
    # `gnomon airflow dags list` is `airflow dags list`.
    return EXAMPLES.get(" ".join(words[1:] if words[:1] == ["airflow"] else words), ())
