"""Operators that ask people: what they refuse, what they ask, and what an answer does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from airflow.providers.standard.exceptions import HITLRejectException, HITLTimeoutError, HITLTriggerEventError
from airflow.providers.standard.triggers.hitl import HITLTrigger
from gnomon.sdk import DAG, BaseNotifier, Param
from gnomon.sdk.exceptions import AirflowProviderDeprecationWarning, DownstreamTasksSkipped, ParamValidationError
from gnomon.sdk.runtime import values
from gnomon.sdk.standard.empty import EmptyOperator
from gnomon.sdk.standard.hitl import ApprovalOperator, HITLBranchOperator, HITLEntryOperator, HITLOperator
from gnomon.wire import execution as wire
from gnomon.wire.human_input import Answer, AskPeople, GetAnswer, GiveAnswer, Person
from gnomon.wire.identity import ti_uuid
from tests.fixtures.loops import run_within

AT = datetime(2026, 1, 1, tzinfo=UTC)


def event(*chosen, **changes):
    return {
        "chosen_options": list(chosen),
        "params_input": {},
        "responded_at": AT,
        "responded_by_user": {"id": "ann", "name": "Ann"},
        "timedout": False,
        **changes,
    }


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"options": []}, "cannot be empty"),
        ({"defaults": "c"}, "should be a subset"),
        ({"defaults": ["a", "b"]}, "More than one defaults"),
        ({"params": {"_options": 1}}, '"_options" is not allowed'),
    ],
)
def test_questions_that_make_no_sense(kwargs, message):
    with pytest.raises(ValueError, match=message):
        HITLOperator(**{"task_id": "t", "subject": "s", "options": ["a", "b"], **kwargs})


def test_branches_and_approvals_that_make_no_sense():
    of_branch = {"task_id": "t", "subject": "s", "options": ["a"]}
    with pytest.raises(ValueError, match="not in `options`"):
        HITLBranchOperator(**of_branch, options_mapping={"b": "x"})
    with pytest.raises(ValueError, match="must be strings"):
        HITLBranchOperator(**of_branch, options_mapping={"a": 1})
    for name in ("options", "multiple"):
        with pytest.raises(ValueError, match=f"Passing {name} to ApprovalOperator"):
            ApprovalOperator(task_id="t", subject="s", **{name: ["x"]})
    assert HITLEntryOperator(task_id="t", subject="s").defaults == ["OK"]
    assert HITLEntryOperator(task_id="t", subject="s", options=["x"]).defaults is None


def test_execution_timeout_is_an_old_name():
    with pytest.warns(AirflowProviderDeprecationWarning, match="response_timeout"):
        operator = HITLEntryOperator(task_id="t", subject="s", execution_timeout=timedelta(hours=1))
    assert (operator.response_timeout, operator.execution_timeout) == (timedelta(hours=1), None)


class Tell(BaseNotifier):
    template_fields = ("text",)
    told: list[str] = []

    def __init__(self, text):
        super().__init__()
        self.text = text

    def notify(self, context):
        self.told.append(self.text)


def test_what_is_asked(runner):
    with DAG("d", params={"of_dag": 1}) as dag:
        HITLOperator(
            task_id="t",
            subject="On {{ ds }}?",
            options=["a", "b"],
            defaults="a",
            params={"name": Param(type="string", description="yours"), "n": 3},
            notifiers=Tell("{{ task.subject }}"),
            assigned_users={"id": "ann", "name": "Ann"},
            response_timeout=timedelta(minutes=5),
        )
    Tell.told.clear()
    runner.channel.custom = lambda request: wire.Done() if isinstance(request, AskPeople) else None

    outcome = runner.run(dag, "t")

    (asked,) = runner.channel.said(AskPeople)
    assert (asked.subject, asked.options, asked.defaults) == ("On 2024-03-10?", ["a", "b"], ["a"])
    assert asked.assigned_users == [Person("ann", "Ann")]
    form = json.loads(asked.params)
    assert list(form) == ["name", "n"]
    assert form["name"] == {"value": None, "schema": {"type": "string"}, "description": "yours", "source": None}
    assert (outcome.state, outcome.next_method) == ("awaiting_input", "execute_complete")
    assert abs(outcome.timeout - outcome.end_date - 300_000_000) < 5_000_000
    assert Tell.told == ["On 2024-03-10?"]


def test_an_answer_has_to_fit():
    operator = HITLOperator(task_id="t", subject="s", options=["a"], params={"n": Param(1, type="integer")})

    answer = operator.execute_complete({}, event("a", params_input={"n": 5}))
    assert answer == {key: value for key, value in event("a", params_input={"n": 5}).items() if key != "timedout"}
    assert operator.hitl_summary["chosen_options"] == ["a"]
    assert operator.hitl_summary["responded_at"] == AT.isoformat()
    with pytest.raises(ValueError, match="not in"):
        operator.execute_complete({}, event("z"))
    with pytest.raises(ValueError, match="does not match"):
        operator.execute_complete({}, event("a", params_input={"other": 1}))
    with pytest.raises(ParamValidationError, match="n: 'x' is not of type"):
        operator.execute_complete({}, event("a", params_input={"n": "x"}))
    with pytest.raises(HITLTimeoutError):
        operator.execute_complete({}, {"error": "late", "error_type": "timeout"})
    with pytest.raises(HITLTriggerEventError):
        operator.execute_complete({}, {"error": "odd", "error_type": "unknown"})


class Instance:
    """As much of a task instance as a skip and a link need."""

    dag_id, run_id, task_id, map_index = "d", "r1", "ask", -1

    def __init__(self, task):
        self.task = task

    def xcom_push(self, key, value):
        self.pushed = (key, value)


def approval(**kwargs):
    with DAG("d"):
        ask = ApprovalOperator(task_id="ask", subject="s", **kwargs)
        ask >> EmptyOperator(task_id="near") >> EmptyOperator(task_id="far")
        near_end = EmptyOperator(task_id="end").as_teardown()
        ask >> near_end
    return ask, {"task": ask, "ti": Instance(ask)}


def test_approvals():
    ask, context = approval()
    assert ask.execute_complete(context, event("Approve"))["chosen_options"] == ["Approve"]
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        ask.execute_complete(context, event("Reject"))
    assert skipped.value.tasks == ["near"]

    ask, context = approval(ignore_downstream_trigger_rules=True)
    with pytest.raises(DownstreamTasksSkipped) as skipped:
        ask.execute_complete(context, event("Reject"))
    assert sorted(skipped.value.tasks) == ["far", "near"]

    ask, context = approval(fail_on_reject=True)
    with pytest.raises(HITLRejectException):
        ask.execute_complete(context, event("Reject"))


def test_a_link_leads_to_the_question(monkeypatch):
    operator = HITLOperator(task_id="ask", subject="s", options=["a", "b"], params={"n": 1})
    context = {"task": operator, "task_instance": Instance(operator)}

    link = HITLOperator.generate_link_to_ui_from_context(
        context=context, base_url="https://ui.example:1/x", options=["a"], params_input={"n": 2}
    )
    assert link == (
        "https://ui.example:1/dags/d/runs/r1/tasks/ask/required_actions?_options=%5B%27a%27%5D&n=2&map_index=-1"
    )
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://there")
    assert operator.generate_link_to_ui(task_instance=Instance(operator)).startswith("http://there/dags/d/")
    for wrong in ({"options": "z"}, {"params_input": {"z": 1}}):
        with pytest.raises(ValueError, match="not valid"):
            operator.generate_link_to_ui(task_instance=Instance(operator), base_url="http://x", **wrong)
    with pytest.raises(ValueError, match="only supports HITLOperator"):
        HITLOperator.generate_link_to_ui_from_context(context={**context, "task": EmptyOperator(task_id="e")})


# --------------------------------------------------------------------------------------------- the trigger


def fired(channel, answers, **kwargs):
    """Run the trigger against these answers, one for each look."""
    left = iter(answers)

    def reply(request):
        if isinstance(request, GetAnswer):
            return found(next(left))
        if isinstance(request, GiveAnswer):
            form = json.loads(request.params_input)
            return found(answer(chosen_options=request.chosen_options, params_input=form, responded_by_user=None))
        return None

    channel.custom = reply
    trigger = HITLTrigger(
        ti_id=ti_uuid(7), options=["a", "b"], params={"n": Param(1, type="integer").serialize()},
        timeout_datetime=kwargs.pop("until", None), poke_interval=0, **kwargs,
    )  # fmt: skip
    path, arguments = trigger.serialize()
    again = values.import_string(path)(**values.decode(values.encode(arguments)))

    async def first():
        return await anext(again.run())

    payload = run_within(10, first()).payload
    assert channel.said(GetAnswer)[0].ti == 7
    return payload


def found(value):
    import msgspec

    return wire.Found(msgspec.json.encode(value))


def answer(**changes):
    known = {"chosen_options": ["a"], "responded_at": 1_767_225_600_000_000, "responded_by_user": Person("ann", "Ann")}
    return Answer(response_received=True, **{**known, **changes})


def test_the_trigger_waits_for_an_answer(channel):
    payload = fired(channel, [Answer(response_received=False), answer(params_input={"n": 4})])

    assert payload == {
        "chosen_options": ["a"],
        "params_input": {"n": 4},
        "responded_by_user": {"id": "ann", "name": "Ann"},
        "responded_at": AT,
        "timedout": False,
    }
    assert fired(channel, [answer(params_input={"n": "x"})])["error_type"] == "validation"


def test_the_trigger_takes_the_defaults_in_the_end(channel):
    late = {"until": AT - timedelta(days=9000)}

    payload = fired(channel, [Answer(response_received=False)], defaults=["b"], **late)
    assert (payload["chosen_options"], payload["params_input"], payload["timedout"]) == (["b"], {"n": 1}, True)
    assert fired(channel, [Answer(response_received=False)], **late)["error_type"] == "timeout"
