"""Branching: go on with some of the tasks downstream, skip the others."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from gnomon.sdk.operator import BaseOperator
from gnomon.sdk.skip import SkipMixin


class BranchMixIn(SkipMixin):
    """For operators that choose what to go on with."""

    def do_branch(self, context: Any, branches_to_execute: str | Iterable[str] | None) -> Any:
        """Go on with the given tasks or groups only; with None, with nothing."""
        self.log.info("Branch into %s", branches_to_execute)  # type: ignore[attr-defined]
        if branches_to_execute is None or not isinstance(branches_to_execute, Iterable):
            self.skip_all_except(context["ti"], branches_to_execute)
        else:
            self.skip_all_except(context["ti"], self._expand_task_group_roots(context["ti"], branches_to_execute))
        return branches_to_execute

    def _expand_task_group_roots(self, ti: Any, branches: str | Iterable[str]) -> Iterator[str]:
        groups = ti.task.dag.task_group_dict
        for branch in [branches] if isinstance(branches, str) else branches:
            if branch in groups:
                yield from (root.task_id for root in groups[branch].get_roots())
            else:
                yield branch


class BaseBranchOperator(BranchMixIn, BaseOperator):
    """Base of branch operators: define `choose_branch`."""

    def choose_branch(self, context: Any) -> str | Iterable[str] | None:
        """Return the id of a task or group directly downstream, several, or None."""
        raise NotImplementedError(f"{type(self).__name__} does not define choose_branch()")

    def execute(self, context: Any) -> Any:
        """Choose, and skip the rest."""
        return self.do_branch(context, self.choose_branch(context))
