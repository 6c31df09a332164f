"""BaseNotifier: callbacks that tell somebody, with templates in their arguments."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from gnomon.sdk.log import LoggingMixin
from gnomon.sdk.templating import Templater


class BaseNotifier(LoggingMixin, Templater):
    """Base of notifiers: define `notify`; an instance can be given as any callback."""

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()

    def __init__(self, **kwargs: Any) -> None:
        super().__init__()
        self.resolve_template_files()

    def _update_context(self, context: Any) -> Any:
        further = (("templates_dict", getattr(self, "templates_dict", None)),)
        return context | {name: value for name, value in further if value}

    def _render(self, context: Any, dag: Any = None) -> None:
        self.render_template_fields(context, dag=dag)

    def render_template_fields(self, context: Any, jinja_env: Any = None, dag: Any = None) -> None:
        """Render the template fields in place."""
        dag = dag if dag is not None else context.get("dag")
        env = jinja_env if jinja_env is not None else self.get_template_env(dag=dag)
        self._do_render_template_fields(self, self.template_fields, context, env, set())

    @abstractmethod
    def notify(self, context: Any) -> None:
        """Tell; subclasses define it."""

    async def async_notify(self, context: Any) -> None:
        """Tell, from a coroutine; subclasses may define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define async_notify()")

    def __call__(self, *args: Any) -> None:
        # SLA callbacks of Airflow 2 get five arguments, all others the context.
        if len(args) == 1:
            context = args[0]
        else:
            names = ("dag", "task_list", "blocking_task_list", "slas", "blocking_tis")
            context = dict(zip(names, args, strict=False))
        rendered = self._update_context(context)
        self.render_template_fields(rendered)
        try:
            self.notify(rendered)
        except Exception:
            self.log.exception("Failed to send notification")

    def __await__(self) -> Any:
        raise TypeError("use `await notifier.async_notify(context)`")
