"""Links from task instances to pages elsewhere."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar


class BaseOperatorLink(ABC):
    """A link; an operator names its links in `operator_extra_links`."""

    operators: ClassVar[list[type]] = []

    @property
    @abstractmethod
    def name(self) -> str:
        """The text of the link."""

    @property
    def xcom_key(self) -> str:
        """The key under which the URL is kept."""
        return f"_link_{type(self).__name__}"

    @abstractmethod
    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the URL for a task instance."""

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other)

    def __hash__(self) -> int:
        return hash(type(self))


def xcom_key_of(link: Any) -> str:
    """Return the key under which a task leaves a link; also for what is no subclass of BaseOperatorLink."""
    return getattr(link, "xcom_key", None) or f"_link_{type(link).__name__}"
