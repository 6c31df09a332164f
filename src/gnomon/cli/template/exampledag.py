"""
## The shadow of a gnomon

A sundial tells the time by the shadow of its gnomon. This DAG works out how long that shadow is at each hour of a
day, and prints the table.

It shows what most DAGs are made of: the TaskFlow API, in which a function is a task and a call is a dependency;
values that travel between tasks (XCom); one task instance per item of a list that is known only when it runs (dynamic
task mapping); and retries. It needs no network.
"""

from datetime import datetime
from math import asin, cos, degrees, pi, radians, sin, tan

from @SDK@ import dag, task

GNOMON_CM = 20
LATITUDE = 48.9


@dag(
    start_date=datetime(2025, 1, 1),
    schedule="@daily",
    catchup=False,
    doc_md=__doc__,
    default_args={"owner": "gnomon", "retries": 3},
    tags=["example"],
    # Most DAGs start paused, so that nothing runs before its author says so. This one is harmless.
    is_paused_upon_creation=False,
)
def example_sundial():
    @task
    def hours_of_daylight() -> list[int]:
        """Return the hours at which the sun is worth looking at."""
        return list(range(8, 17))

    @task
    def shadow(hour: int) -> dict:
        """Return the length of the shadow at one hour, at the equinox."""
        hour_angle = (hour - 12) * pi / 12
        altitude = asin(cos(radians(LATITUDE)) * cos(hour_angle))
        length = GNOMON_CM / tan(altitude)
        print(f"At {hour}:00 the sun is {degrees(altitude):.0f} degrees high, the shadow {length:.0f} cm long")
        return {"hour": hour, "cm": round(length, 1), "side": "west" if sin(hour_angle) < 0 else "east"}

    @task
    def draw(shadows: list[dict]) -> dict:
        """Print the shadows as bars, and return the shortest: noon."""
        shadows = sorted(shadows, key=lambda one: one["hour"])
        for one in shadows:
            print(f"{one['hour']:>2}:00  {'#' * round(one['cm'] / 3)} {one['cm']} cm, to the {one['side']}")
        return min(shadows, key=lambda one: one["cm"])

    @task
    def check(noon: dict) -> None:
        """Fail if the sun has moved."""
        assert noon["hour"] == 12, f"noon is at {noon['hour']}:00?"
        print(f"The shadow is shortest at noon: {noon['cm']} cm")

    # One `shadow` for each hour that the first task returns.
    check(draw(shadow.expand(hour=hours_of_daylight())))


example_sundial()
