"""A hundred planted leaks of eight kinds, and twenty clean sets: who is caught, who is accused?

    .venv/bin/python -m benchmarks.leaks [--kinds "later event"] [--each N] [--clean N]

Each set is audited in every way that it allows: as a function that is run again in other worlds
(``lab.leaks.audit``) and as a finished table (``lab.finished.audit_set``). Prints per
kind how many were planted, caught (an alarm for the planted column), caught as the kind that they
are, and how many alarms accuse a column that is honest; for the clean sets every alarm. Exits 1
unless all are caught and nothing honest is accused.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from collections.abc import Sequence

from lab.finished import audit_set
from lab.leaks import Alarm, audit
from lab.planted import KINDS, Case, clean, planted

ANYTHING = "knows the outcome"
"""What a finished table can say of a column whose making is not known."""


def audited(case: Case) -> tuple[list[Alarm], list[Alarm]]:
    """The alarms of recomputing, and those of the finished table."""
    recomputed: list[Alarm] = []
    if case.make is not None:
        assert case.spine is not None and case.tables is not None
        recomputed = audit(case.make, case.spine, case.tables)
    return recomputed, audit_set(case.finished)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--each", type=int, default=100, help="at most so many of a kind")
    parser.add_argument("--clean", type=int, default=20)
    options = parser.parse_args(arguments)
    began, rows, fine = time.perf_counter(), [], True
    for kind in options.kinds.split(",") if options.kinds else []:
        tally: Counter[str] = Counter()
        for number in range(min(KINDS[kind], options.each)):
            case = planted(kind, number)
            recomputed, finished = audited(case)
            alarms_here = [a for a in (*recomputed, *finished) if a.column == case.column]
            named = [a for a in alarms_here if a.kind == kind]
            guilty = (case.column, *case.also)
            others = [a for a in (*recomputed, *finished) if a.column not in guilty]
            tally["planted"] += 1
            tally["caught"] += bool(alarms_here)
            tally["named"] += bool(named)
            tally["by recomputing"] += any(a.column == case.column for a in recomputed)
            tally["as a table"] += any(a.column == case.column for a in finished)
            tally["honest accused"] += len(others)
            fine &= bool(alarms_here) and not others
            if not alarms_here:
                print(f"missed    {kind} {number}: {case.name} ({case.column})", flush=True)
            elif not named and ANYTHING not in {a.kind for a in alarms_here}:
                print(f"misnamed  {kind} {number}: {case.name}: {alarms_here[0]}", flush=True)
            for alarm in others:
                print(f"accused   {kind} {number} ({case.name}): {alarm}", flush=True)
        rows.append((kind, tally))
    columns = ("planted", "caught", "named", "by recomputing", "as a table", "honest accused")
    print(f"\n{'kind':30} " + " ".join(f"{c:>14}" for c in columns))
    for kind, tally in rows:
        print(f"{kind:30} " + " ".join(f"{tally[c]:14}" for c in columns))
    whole = sum((tally for _, tally in rows), Counter())
    print(f"{'all':30} " + " ".join(f"{whole[c]:14}" for c in columns))
    alarms = 0
    for number in range(options.clean):
        for alarm in [a for alarms_here in audited(clean(number)) for a in alarms_here]:
            alarms += 1
            print(f"clean {number} accused: {alarm}", flush=True)
    print(f"\nclean sets: {options.clean}, alarms: {alarms}; {time.perf_counter() - began:.0f} s")
    return 0 if fine and not alarms else 1


if __name__ == "__main__":
    raise SystemExit(main())
