"""Random DAGs: how they are wired, and what becomes of their runs."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


@st.composite
def wired(draw: Any) -> dict[str, Any]:
    """Draw a DAG of tasks and nested groups, and the steps that wire them."""
    groups: list[int | None] = [
        draw(st.none() | st.integers(0, number - 1)) if number else None for number in range(draw(st.integers(0, 3)))
    ]
    count = draw(st.integers(2, 7))
    inside = st.none() | st.integers(0, len(groups) - 1) if groups else st.none()
    tasks = [
        {
            "group": draw(inside),
            "weight": draw(st.sampled_from([1, 1, 2, 10, 0, -3, 2**31])),
            "rule": draw(st.sampled_from(["downstream", "downstream", "upstream", "absolute"])),
        }
        for _ in range(count)
    ]
    names = [f"t{number}" for number in range(count)]
    name_of_group = [f"g{number}" for number in range(len(groups))]
    steps = [draw(_step(names, name_of_group, tasks)) for _ in range(draw(st.integers(1, 6)))]
    return {"groups": groups, "prefix": draw(st.booleans()), "tasks": tasks, "steps": steps}


@st.composite
def _step(draw: Any, tasks: list[str], groups: list[str], specs: list[dict[str, Any]]) -> list[Any]:
    how = draw(st.sampled_from(["chain", "linear", "cross", "down", "up", "label", "argument"]))
    # Most edges point from a lower number to a higher one, so that few DAGs have circles.
    ordered = sorted(draw(st.lists(st.sampled_from(tasks), min_size=2, max_size=4, unique=True)))
    if how == "label":
        # From a task of one group to something outside it, Airflow wires the whole group; see docs/gaps.md.
        homes = {spec["group"] for spec in specs}
        free = [name for name, spec in zip(tasks, specs, strict=True) if spec["group"] is None]
        free += [name for name in groups if int(name[1:]) in homes]
        ends = draw(st.lists(st.sampled_from(free), max_size=2, unique=True)) if free else []
        if len(ends) < 2 or all(name in groups for name in ends):
            return ["down", *ordered[:2]]
        return [how, *sorted(ends), "x"]
    if how == "argument":
        return [how, *ordered[:2]]
    if how == "up":
        return [how, *ordered[1::-1]]
    if groups and draw(st.booleans()):
        ordered[draw(st.integers(0, len(ordered) - 1))] = draw(st.sampled_from(groups))
    if how == "down":
        return [how, *ordered[:2]]
    if how == "cross":
        return [how, ordered[:1], ordered[1:]] if draw(st.booleans()) else [how, ordered[:-1], ordered[-1:]]
    if len(ordered) == 4 and draw(st.booleans()):
        return [how, ordered[:2], ordered[2:]] if draw(st.booleans()) else [how, ordered[0], ordered[1:3], ordered[3]]
    return [how, *ordered]


RULES = [
    *("all_success", "all_success", "all_failed", "all_done", "all_done_min_one_success", "one_success"),
    *("one_failed", "one_done", "none_failed", "none_skipped", "none_failed_min_one_success", "all_skipped"),
    *("always", "all_done_setup_success"),
]


@st.composite
def runs(draw: Any, *, mapped: bool = True, setups: bool = True) -> dict[str, Any]:
    """Draw a DAG and what becomes of its task instances, one after another."""
    count = draw(st.integers(2, 7))
    groups: dict[str, Any] = {}
    tasks: list[dict[str, Any]] = []
    rules = st.sampled_from(RULES)
    for number in range(count):
        before = [i for i in range(number) if draw(st.integers(0, 2)) == 0]
        group, expand = None, None
        if mapped and number and draw(st.integers(0, 2)) == 0:
            expand = draw(_expansions([i for i in range(number) if tasks[i]["group"] is None]))
            if draw(st.booleans()):
                name = f"g{draw(st.integers(0, 1))}"
                groups.setdefault(name, expand)
                group, expand = name, None
        rule = draw(rules) if draw(st.booleans()) else "all_success"
        if group is not None and rule in ("always", "all_done_min_one_success"):
            # Airflow refuses the first, and decides by the second before the group is expanded; see docs/gaps.md.
            rule = "all_done"
        kind = draw(st.sampled_from(["", "", "", "setup", "teardown"])) if setups else ""
        if kind == "setup" or any(tasks[up]["setup"] for up in before):
            rule = "all_success"
        tasks.append(
            {
                "upstream": before,
                "rule": rule,
                "setup": kind == "setup",
                "teardown": kind == "teardown",
                # Airflow loses this of a mapped teardown on the way to the scheduler.
                "fails_run": expand is None and draw(st.booleans()),
                "expand": expand,
                "group": group,
            }
        )
    outcomes = st.sampled_from(["success", "success", "success", "failed", "skipped"])
    choice = st.builds(
        lambda which, outcome, length: {"which": which, "outcome": outcome, "length": length},
        st.integers(0, 9),
        outcomes,
        st.sampled_from([2, 2, 1, 3, 0, None]),
    )
    return {"tasks": tasks, "groups": groups, "choices": draw(st.lists(choice, min_size=3, max_size=25))}


def _expansions(sources: list[int]) -> st.SearchStrategy[Any]:
    literal = st.sampled_from([2, 1, 3, 0])
    if not sources:
        return literal
    one = st.sampled_from(sources)
    return st.one_of(
        literal,
        one.map(lambda i: ["xcom", i]),
        one.map(lambda i: ["xcom", i]),
        one.map(lambda i: ["map", i]),
        st.tuples(st.sampled_from(["zip", "zip_longest", "concat"]), one, one).map(list),
    )
