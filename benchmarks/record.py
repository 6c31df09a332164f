"""What a measurement gives: figures beside their targets and floors."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One row of the table."""

    workload: str
    what: str
    value: float
    unit: str
    #: what it is to be, in words, and the number behind them
    target: str
    limit: float
    #: "at most" or "at least"
    at_least: bool = False
    #: what the machine itself allows, measured in the same run
    floor: str = ""
    #: numbers that explain the figure
    detail: dict[str, float] = field(default_factory=dict)

    @property
    def met(self) -> bool:
        """Say whether the target is reached."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def table(rows: list[Figure]) -> str:
    """Return the figures as lines of a table."""
    cells = [("workload", "figure", "target", "floor", "")]
    for row in rows:
        shown = f"{row.what} {_number(row.value)} {row.unit}".strip()
        cells.append((row.workload, shown, row.target, row.floor, "met" if row.met else "NOT MET"))
    widths = [max(len(line[column]) for line in cells) for column in range(5)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths[:4]))
    return "\n".join(lines)


def percentile(values: list[float], share: float) -> float:
    """Return the value below which `share` of the values lie."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, round(share * (len(ordered) - 1)))]


def _number(value: float) -> str:
    if value >= 100:
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
