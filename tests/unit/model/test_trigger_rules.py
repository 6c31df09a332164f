"""Every trigger rule against a table of upstream states (spec/airflow.md section 2, mistakes 12, 13 and 15).

A row is: states of the upstream instances, then the verdict expected. s success, k skipped, f failed,
u upstream_failed, r removed, . unfinished; an upper-case letter is a setup task's state.
"""

from __future__ import annotations

from itertools import product

import pytest

from gnomon.model.states import TaskInstanceState as Ti
from gnomon.model.states import TriggerRule as Rule
from gnomon.model.trigger_rules import Tally, Verdict, evaluate, evaluate_setups

_LETTERS = {
    "s": Ti.SUCCESS,
    "k": Ti.SKIPPED,
    "f": Ti.FAILED,
    "u": Ti.UPSTREAM_FAILED,
    "r": Ti.REMOVED,
    ".": None,
}
RUN, WAIT, SKIP, FAIL = Verdict.RUN, Verdict.WAIT, Verdict.SKIP, Verdict.FAIL

TABLE: dict[Rule, dict[str, Verdict]] = {
    Rule.ALL_SUCCESS: {
        "ss": RUN, "s.": WAIT, "..": WAIT, "sk": SKIP, "k.": SKIP, "sf": FAIL, "f.": FAIL, "su": FAIL, "kf": FAIL,
        "sr": RUN,
    },
    Rule.ALL_FAILED: {
        "ff": RUN, "fu": RUN, "f.": WAIT, "fs": SKIP, "s.": SKIP, "fk": SKIP, "fr": RUN,
    },
    Rule.ALL_DONE: {
        "ss": RUN, "sf": RUN, "ku": RUN, "s.": WAIT, "..": WAIT, "rr": RUN,
    },
    Rule.ALL_DONE_MIN_ONE_SUCCESS: {
        "ss": RUN, "sf": RUN, "su": RUN, "ff": FAIL, "s.": WAIT, "f.": WAIT, "sk": SKIP, "k.": SKIP,
    },
    Rule.ALL_DONE_SETUP_SUCCESS: {
        "Ss": RUN, "Sf": RUN, "S.": WAIT, "Fs": FAIL, "Ks": SKIP, "KS": RUN, "FS": RUN, "sf": RUN, "KF": FAIL,
    },
    Rule.ONE_SUCCESS: {
        "s.": RUN, "ss": RUN, "sf": RUN, "f.": WAIT, "..": WAIT, "kk": SKIP, "fk": FAIL, "ff": FAIL, "uu": FAIL,
    },
    Rule.ONE_FAILED: {
        "f.": RUN, "u.": RUN, "fs": RUN, "s.": WAIT, "ss": SKIP, "sk": SKIP,
    },
    Rule.ONE_DONE: {
        "s.": RUN, "f.": RUN, "u.": WAIT, "k.": WAIT, "kk": SKIP, "uk": SKIP, "ks": RUN,
    },
    Rule.NONE_FAILED: {
        "ss": RUN, "sk": RUN, "kk": RUN, "s.": WAIT, "f.": FAIL, "su": FAIL, "sr": RUN,
    },
    Rule.NONE_FAILED_MIN_ONE_SUCCESS: {
        "ss": RUN, "sk": RUN, "kk": SKIP, "s.": WAIT, "k.": WAIT, "f.": FAIL, "su": FAIL, "kr": FAIL,
    },
    Rule.NONE_SKIPPED: {
        "ss": RUN, "sf": RUN, "uu": RUN, "s.": WAIT, "k.": SKIP, "sk": SKIP,
    },
    Rule.ALL_SKIPPED: {
        "kk": RUN, "k.": WAIT, "s.": SKIP, "f.": SKIP, "u.": SKIP,
    },
    Rule.ALWAYS: {
        "..": RUN, "f.": RUN, "kk": RUN, "ss": RUN,
    },
}  # fmt: skip


def tally(states: str) -> Tally:
    result = Tally(len(states), sum(letter.isupper() for letter in states))
    for letter in states:
        result.add(_LETTERS[letter.lower()], is_setup=letter.isupper())
    return result


def test_the_table_has_every_rule() -> None:
    assert set(TABLE) == set(Rule)


@pytest.mark.parametrize(
    ("rule", "states", "verdict"), [(rule, states, verdict) for rule, rows in TABLE.items() for states, verdict in rows.items()]
)  # fmt: skip
def test_rule(rule: Rule, states: str, verdict: Verdict) -> None:
    assert evaluate(rule, tally(states)) is verdict


@pytest.mark.parametrize("rule", Rule)
def test_mistake_11_a_task_without_upstream_runs(rule: Rule) -> None:
    assert evaluate(rule, Tally()) is RUN


@pytest.mark.parametrize("rule", Rule)
def test_a_verdict_does_not_depend_on_the_order_of_events(rule: Rule) -> None:
    for states in product("skfu.", repeat=3):
        verdicts = {evaluate(rule, tally("".join(order))) for order in (states, states[::-1], (*states[1:], states[0]))}
        assert len(verdicts) == 1


@pytest.mark.parametrize("rule", set(Rule) - {Rule.ALL_DONE_SETUP_SUCCESS})
def test_nothing_waits_once_all_upstream_are_done(rule: Rule) -> None:
    for states in product("skfu", repeat=3):
        assert evaluate(rule, tally("".join(states))) is not WAIT


def test_mistake_13_an_instance_beyond_the_upstream_that_is_left_is_removed() -> None:
    assert evaluate(Rule.ALL_SUCCESS, tally("ssr"), map_index=2) is Verdict.REMOVE
    assert evaluate(Rule.ALL_SUCCESS, tally("ssr"), map_index=1) is RUN


def test_mistake_15_indirect_setups_must_all_succeed() -> None:
    rows = {"S": RUN, ".": WAIT, "S.": WAIT, "F.": FAIL, "U": FAIL, "K.": SKIP, "SK": SKIP}
    assert {states: evaluate_setups(tally(states)) for states in rows} == rows
    assert evaluate_setups(Tally()) is RUN
