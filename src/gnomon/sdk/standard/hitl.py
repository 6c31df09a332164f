"""Human in the loop: operators that ask people and wait for the answer without holding a slot."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, ClassVar

from gnomon.sdk.branch import BranchMixIn
from gnomon.sdk.exceptions import AirflowException, AirflowProviderDeprecationWarning, TaskAwaitingInput
from gnomon.sdk.notifier import BaseNotifier
from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.params import ParamsDict
from gnomon.sdk.runtime.human_input import HITLUser, upsert_hitl_detail
from gnomon.sdk.skip import SkipMixin


class HITLTriggerEventError(Exception):
    """The wait for an answer ended with an error."""


class HITLTimeoutError(HITLTriggerEventError):
    """Nobody has answered in time, and there are no default options."""


class HITLRejectException(AirflowException):
    """An ApprovalOperator with fail_on_reject was answered "Reject"."""


class HITLOperator(BaseOperator):
    """Asks people to choose among options and to fill in a form; its result is what they answered.

    The result is a dict with chosen_options, params_input, responded_at and responded_by_user.

    Args:
        subject: the question in one line; templated.
        options: what can be chosen.
        body: what people need to know to decide, as Markdown; templated.
        defaults: options that are taken when nobody answers in time.
        multiple: more than one option may be chosen.
        params: a form: Params by name; a field without a value has to be filled in.
        notifiers: told when the question is asked.
        assigned_users: who may answer, each {"id", "name"}; everybody unless given.
        response_timeout: how long to wait for an answer; without defaults the task fails then.

    Raises:
        ValueError: the options, defaults or params contradict each other.
    """

    __module__ = "airflow.providers.standard.operators.hitl"

    template_fields: Collection[str] = ("subject", "body")
    #: the params are a form that people fill in later, so they need not be complete when the task starts
    params_are_a_form: ClassVar[bool] = True

    def __init__(
        self,
        *,
        subject: str,
        options: list[str],
        body: str | None = None,
        defaults: str | list[str] | None = None,
        multiple: bool = False,
        params: ParamsDict | dict[str, Any] | None = None,
        notifiers: Sequence[BaseNotifier] | BaseNotifier | None = None,
        assigned_users: HITLUser | list[HITLUser] | None = None,
        response_timeout: timedelta | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.execution_timeout and not response_timeout:
            warnings.warn(
                "execution_timeout of an operator that asks people is an old name of response_timeout; it does not"
                " limit the execution then",
                AirflowProviderDeprecationWarning,
                stacklevel=2,
            )
            response_timeout, self.execution_timeout = self.execution_timeout, None
        self.response_timeout = response_timeout
        self.subject = subject
        self.body = body
        self.options = options
        self.defaults = [defaults] if isinstance(defaults, str) else defaults
        self.multiple = multiple
        self.params = params if isinstance(params, ParamsDict) else ParamsDict(params)
        self.notifiers = [notifiers] if isinstance(notifiers, BaseNotifier) else list(notifiers or [])
        self.assigned_users = [assigned_users] if isinstance(assigned_users, Mapping) else assigned_users
        self.validate_options()
        self.validate_params()
        self.validate_defaults()
        #: what subclasses and the run add to the summary
        self.hitl_summary_extra: dict[str, Any] = {}

    @property
    def params(self) -> Any:
        """The form; the DAG's params are not part of it."""
        return self._params

    @params.setter
    def params(self, params: Any) -> None:
        self._params = params

    @property
    def hitl_summary(self) -> dict[str, Any]:
        """The question, and what became of it, for listeners."""
        return {
            "subject": self.subject,
            "body": self.body,
            "options": self.options,
            "defaults": self.defaults,
            "multiple": self.multiple,
            "assigned_users": self.assigned_users,
            "serialized_params": self.serialized_params or None,
            **self.hitl_summary_extra,
        }

    @property
    def serialized_params(self) -> dict[str, dict[str, Any]]:
        """The form as data."""
        return {name: param.serialize() for name, param in self.params.items()}

    def validate_options(self) -> None:
        """Refuse a question without options."""
        if not self.options:
            raise ValueError('"options" cannot be empty.')

    def validate_params(self) -> None:
        """Refuse a form with a field that the answer needs for itself."""
        if "_options" in self.params:
            raise ValueError('"_options" is not allowed in params')

    def validate_defaults(self) -> None:
        """Refuse defaults that could not be chosen."""
        if self.defaults is None:
            return
        if not set(self.defaults) <= set(self.options):
            raise ValueError(f'defaults "{self.defaults}" should be a subset of options "{self.options}"')
        if not self.multiple and len(self.defaults) > 1:
            raise ValueError('More than one defaults given when "multiple" is set to False.')

    def execute(self, context: Any) -> Any:
        """Ask, tell the notifiers, and wait."""
        upsert_hitl_detail(
            ti_id=context["task_instance"].id,
            options=self.options,
            subject=self.subject,
            body=self.body,
            defaults=self.defaults,
            multiple=self.multiple,
            params=self.serialized_params,
            assigned_users=self.assigned_users,
        )
        self.hitl_summary_extra["timeout_datetime"] = self._deadline()
        self.log.info("Waiting for response")
        for notifier in self.notifiers:
            notifier(context)
        raise TaskAwaitingInput(method_name="execute_complete", timeout=self.response_timeout)

    def _deadline(self) -> str | None:
        if not self.response_timeout:
            return None
        from gnomon.sdk.timezone import utcnow

        return (utcnow() + self.response_timeout).isoformat()

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Check the answer and return it.

        Raises:
            HITLTimeoutError: there is none.
            ValueError: it does not fit the question.
        """
        if "error" in event:
            self.hitl_summary_extra["error_type"] = event["error_type"]
            self.process_trigger_event_error(event)
        answer = {
            "chosen_options": event["chosen_options"],
            "params_input": event["params_input"] or {},
            "responded_at": event["responded_at"],
            "responded_by_user": event["responded_by_user"],
        }
        self.validate_chosen_options(answer["chosen_options"])
        self.validate_params_input(answer["params_input"])
        self.hitl_summary_extra.update({**answer, "responded_at": answer["responded_at"].isoformat()})
        return answer

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Raise what an event without an answer means."""
        raise (HITLTimeoutError if event["error_type"] == "timeout" else HITLTriggerEventError)(event)

    def validate_chosen_options(self, chosen_options: list[str]) -> None:
        """Refuse what was not among the options."""
        if unknown := set(chosen_options) - set(self.options):
            raise ValueError(f"Responses {unknown} not in {self.options}")

    def validate_params_input(self, params_input: Mapping[str, Any]) -> None:
        """Take over the form, each field checked against its schema."""
        if self.params and params_input and set(self.params) != set(params_input):
            raise ValueError(f"params_input {params_input} does not match params {self.params}")
        for name, value in params_input.items():
            self.params[name] = value

    def generate_link_to_ui(
        self,
        *,
        task_instance: Any,
        base_url: str | None = None,
        options: str | list[str] | None = None,
        params_input: dict[str, Any] | None = None,
    ) -> str:
        """Return the address of the page on which a task instance's question is answered.

        Args:
            task_instance: whose question.
            base_url: of the UI; [api] base_url unless given.
            options: chosen already when the page opens.
            params_input: filled in already.

        Raises:
            ValueError: an option or a field does not exist, or the UI's address is not known.
        """
        from urllib.parse import urlencode, urlsplit, urlunsplit

        query: dict[str, Any] = {}
        chosen = [options] if isinstance(options, str) else options
        if chosen:
            if unknown := set(chosen) - set(self.options):
                raise ValueError(f"options {unknown} are not valid options")
            query["_options"] = chosen
        if params_input:
            if unknown := set(params_input) - set(self.params):
                raise ValueError(f"params {unknown} are not valid params")
            query.update(params_input)
        query["map_index"] = task_instance.map_index
        address = base_url or _base_url()
        if not address:
            raise ValueError("Not able to retrieve base_url")
        scheme, host, *_ = urlsplit(address)
        ti = task_instance
        path = f"/dags/{ti.dag_id}/runs/{ti.run_id}/tasks/{ti.task_id}/required_actions"
        return urlunsplit((scheme, host, path, urlencode(query), ""))

    @staticmethod
    def generate_link_to_ui_from_context(
        *,
        context: Any,
        base_url: str | None = None,
        options: list[str] | None = None,
        params_input: dict[str, Any] | None = None,
    ) -> str:
        """Return the address of the page on which the question of the context's task is answered."""
        task = context["task"]
        if not isinstance(task, HITLOperator):
            raise ValueError("This method only supports HITLOperator")
        return task.generate_link_to_ui(
            task_instance=context["task_instance"], base_url=base_url, options=options, params_input=params_input
        )


def _base_url() -> str | None:
    from gnomon.service.config import conf

    return conf.get("api", "base_url", fallback=None)


class ApprovalOperator(HITLOperator, SkipMixin):
    """Asks for an approval; what is downstream is skipped when it is refused.

    Args:
        ignore_downstream_trigger_rules: skip all that is downstream, not only what comes directly after.
        fail_on_reject: fail instead. A refusal is an answer and no error, so think twice.
    """

    __module__ = "airflow.providers.standard.operators.hitl"

    inherits_from_skipmixin = True
    FIXED_ARGS: ClassVar[list[str]] = ["options", "multiple"]
    APPROVE = "Approve"
    REJECT = "Reject"

    def __init__(
        self, *, ignore_downstream_trigger_rules: bool = False, fail_on_reject: bool = False, **kwargs: Any
    ) -> None:
        for name in self.FIXED_ARGS:
            if name in kwargs:
                raise ValueError(f"Passing {name} to ApprovalOperator is not allowed.")
        self.ignore_downstream_trigger_rules = ignore_downstream_trigger_rules
        self.fail_on_reject = fail_on_reject
        super().__init__(options=[self.APPROVE, self.REJECT], multiple=False, **kwargs)
        self.hitl_summary_extra["ignore_downstream_trigger_rules"] = ignore_downstream_trigger_rules
        self.hitl_summary_extra["fail_on_reject"] = fail_on_reject

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Go on after an approval; skip or fail after a refusal."""
        answer = super().execute_complete(context=context, event=event)
        approved = answer["chosen_options"][0] == self.APPROVE
        self.hitl_summary_extra["approved"] = approved
        if approved:
            self.log.info("Approved. Proceeding with downstream tasks...")
            return answer
        if self.fail_on_reject:
            raise HITLRejectException('Receive "Reject"')
        task = context["task"]
        if self.ignore_downstream_trigger_rules:
            below = task.get_flat_relatives(upstream=False)
        else:
            below = task.get_direct_relatives(upstream=False)
        self.log.info("Rejected. Skipping downstream tasks...")
        self.skip(ti=context["ti"], tasks=[one for one in below if not one.is_teardown])
        return answer


class HITLBranchOperator(HITLOperator, BranchMixIn):
    """Lets people choose which tasks to go on with; the others that come directly after are skipped.

    Args:
        options_mapping: option → task or group id, for options that are not ids themselves.

    Raises:
        ValueError: the mapping names an option that does not exist, or leads to something that is no id.
    """

    __module__ = "airflow.providers.standard.operators.hitl"

    inherits_from_skipmixin = True

    def __init__(self, *, options_mapping: dict[str, str] | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.options_mapping = options_mapping or {}
        self.validate_options_mapping()
        self.hitl_summary_extra["options_mapping"] = self.options_mapping

    def validate_options_mapping(self) -> None:
        """Refuse a mapping that leads nowhere."""
        if unknown := set(self.options_mapping) - set(self.options):
            raise ValueError(f"`options_mapping` contains keys that are not in `options`: {sorted(unknown)}")
        wrong = {
            option: (target, type(target).__name__)
            for option, target in self.options_mapping.items()
            if not isinstance(target, str)
        }
        if wrong:
            raise ValueError(f"`options_mapping` values must be strings (task_ids).\nInvalid entries: {wrong}")

    def execute_complete(self, context: Any, event: dict[str, Any]) -> Any:
        """Go on with what was chosen."""
        answer = super().execute_complete(context=context, event=event)
        branches = [self.options_mapping.get(option, option) for option in answer["chosen_options"]]
        self.hitl_summary_extra["branches_to_execute"] = branches
        return self.do_branch(context=context, branches_to_execute=branches)


class HITLEntryOperator(HITLOperator):
    """Asks people to fill in a form; the only option is OK unless others are given."""

    __module__ = "airflow.providers.standard.operators.hitl"

    OK = "OK"

    def __init__(self, **kwargs: Any) -> None:
        if "options" not in kwargs:
            kwargs["options"] = [self.OK]
            kwargs.setdefault("defaults", [self.OK])
        super().__init__(**kwargs)
