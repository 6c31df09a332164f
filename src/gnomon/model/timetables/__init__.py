"""Schedules as pure functions of time: what a timetable is, how one is built from data, how its runs are named."""

from __future__ import annotations

from gnomon.model.timetables.base import (
    Bare,
    DataInterval,
    ManualQuestion,
    NextRun,
    Partition,
    Profile,
    Timetable,
    TimetableError,
    TimetableSpec,
)
from gnomon.model.timetables.build import build
from gnomon.model.timetables.custom import AnswerNeededError, BetweenQuestion, Custom, NextQuestion
from gnomon.model.timetables.run_ids import check_manual_run_id, run_id, type_of

__all__ = [
    "AnswerNeededError",
    "Bare",
    "BetweenQuestion",
    "Custom",
    "DataInterval",
    "ManualQuestion",
    "NextQuestion",
    "NextRun",
    "Partition",
    "Profile",
    "Timetable",
    "TimetableError",
    "TimetableSpec",
    "build",
    "check_manual_run_id",
    "run_id",
    "type_of",
]
