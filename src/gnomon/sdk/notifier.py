"""BaseNotifier: callbacks that tell somebody, with templates in their arguments."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from gnomon.sdk.log import LoggingMixin
from gnomon.sdk.templating import Templater


class BaseNotifier(LoggingMixin, Templater):
    """Base of notifiers: define `notify`; an instance can be given as any callback."""

    template_fields: Sequence[str] = ()
    template_ext: Sequence[str] = ()

    def __init__(self, context: Any = None, **kwargs: Any) -> None:
        super().__init__()
        #: for `await notifier`, which takes no arguments
        self.context: Any = context or {}
        self.resolve_template_files()

    def _update_context(self, context: Any) -> Any:
        """Let templates of one field refer to the others."""
        for name in self.template_fields:
            context[name] = getattr(self, name)
        return context

    def render_template_fields(self, context: Any, jinja_env: Any = None, dag: Any = None) -> None:
        """Render the template fields in place."""
        dag = dag if dag is not None else context.get("dag")
        env = jinja_env if jinja_env is not None else self.get_template_env(dag=dag)
        self._do_render_template_fields(self, self.template_fields, context, env, set())

    def notify(self, context: Any) -> None:
        """Tell; subclasses that are called define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define notify()")

    async def async_notify(self, context: Any) -> None:
        """Tell, from a coroutine; subclasses that are awaited define it."""
        raise NotImplementedError(f"{type(self).__name__} does not define async_notify()")

    def __call__(self, *args: Any) -> None:
        # SLA callbacks of Airflow 2 get several arguments, all others the context.
        if len(args) == 1:
            context = args[0]
        else:
            names = ("dag", "task_list", "blocking_task_list", "slas", "blocking_tis")
            context = dict(zip(names, args, strict=False))
        self._update_context(context)
        self.render_template_fields(context)
        try:
            self.notify(context)
        except Exception:
            self.log.error("The notification could not be sent")
            raise

    def __await__(self) -> Any:
        self._update_context(self.context)
        self.render_template_fields(self.context)
        return self.async_notify(self.context).__await__()
