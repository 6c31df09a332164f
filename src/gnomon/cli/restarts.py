"""When a dead process is started again: at once the first time, later and later when it keeps dying."""

from __future__ import annotations

from dataclasses import dataclass, field

#: A process that lived this long was well; the next death is a first one again.
STABLE_SECONDS = 5.0
#: It is started again after these many seconds; the last one repeats.
DELAYS = (0.0, 0.1, 0.3, 1.0, 2.0, 5.0)


@dataclass
class Restarts:
    """The deaths of one process."""

    #: all of them, as `dev ps` shows them
    total: int = 0
    #: those in a row, none of which lived for long
    in_a_row: int = field(default=0)

    def died(self, lived: float) -> float:
        """Count a death after `lived` seconds, and return in how many seconds to start it again."""
        if lived >= STABLE_SECONDS:
            self.in_a_row = 0
        delay = DELAYS[min(self.in_a_row, len(DELAYS) - 1)]
        self.in_a_row += 1
        self.total += 1
        return delay

    @property
    def looping(self) -> bool:
        """Whether it has died so often in a row that somebody should look."""
        return self.in_a_row >= 3
