"""`resources=`: how much CPU, memory and so on a task needs; recorded, for executors that care."""

from __future__ import annotations

from typing import Any

from gnomon.sdk.exceptions import AirflowException

MB = 1
GB = 1024 * MB
TB = 1024 * GB


class Resource:
    """A quantity of something.

    Args:
        name: what.
        units_str: its unit.
        qty: how many.
    """

    def __init__(self, name: str, units_str: str, qty: float) -> None:
        if qty < 0:
            raise AirflowException(f"the quantity of the resource {name} must not be negative, got {qty}")
        self.name, self.units_str, self.qty = name, units_str, qty

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resource) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the quantity as data."""
        return {"name": self.name, "qty": self.qty, "units_str": self.units_str}


class Resources:
    """The resources of a task, by default those of `[operators] default_*`."""

    def __init__(
        self, cpus: float | None = None, ram: float | None = None, disk: float | None = None, gpus: float | None = None
    ) -> None:
        from gnomon.sdk.settings import setting

        def quantity(given: float | None, key: str, fallback: int) -> float:
            return given if given is not None else setting("operators", key, fallback)

        self.cpus = Resource("CPU", "core(s)", quantity(cpus, "default_cpus", 1))
        self.ram = Resource("RAM", "MB", quantity(ram, "default_ram", 512))
        self.disk = Resource("Disk", "MB", quantity(disk, "default_disk", 512))
        self.gpus = Resource("GPU", "gpu(s)", quantity(gpus, "default_gpus", 0))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self.to_dict() == other.to_dict()

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return repr(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """Return the resources as data."""
        return {name: getattr(self, name).to_dict() for name in ("cpus", "ram", "disk", "gpus")}
