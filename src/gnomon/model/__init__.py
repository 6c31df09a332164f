"""Decisions without I/O: states, transitions, trigger rules, planning, admission, timetables."""
