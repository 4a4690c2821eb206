"""From people needed to people named: a roster of shifts by contracts, skills and rest."""

from serving.shifts.calendar_file import calendar_file
from serving.shifts.coverage import with_gap
from serving.shifts.files import roster_file, write_roster
from serving.shifts.roster import Roster, roster

__all__ = ["Roster", "calendar_file", "roster", "roster_file", "with_gap", "write_roster"]
