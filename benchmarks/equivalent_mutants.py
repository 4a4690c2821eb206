"""Mutants that no test can tell from the original, each with the reason: file, before, after."""

from __future__ import annotations

ASOF, KERNEL = "features/asof.py", "features/kernel.py"
TIMELINE, LABELS = "features/timeline.py", "features/labels.py"

SPEED = "a shortcut only: the long way gives the same"
HOW_ADDED = "decides how integers are added, not what comes of it"
PLAIN = "no row is plain any more, so all take the way of those that are not: the same sums, slower"
SPARE = "one more cell a line, in which nothing is ever counted"
LATER = "a shortcut only: rows without a place in the grid are left out two lines further"
NONE = "any number below 0 says that there is none"
GROUPS = "groups are numbered, or kept apart, otherwise; only that they are matters"

_PLAIN = "plain = None if spells.plain else (spells.lo == spells.at + 1) & (spells.hi == NEVER)"
_EDGES = "self.edges = np.unique(np.concatenate(moments)) if len(moments) > 1 else grid.times"
_PIECES = "for piece in np.array_split(brief, 1 + volume // WRITTEN_OUT):"
_VOLUME = "volume = int((some.stop[brief] - some.first[brief]).sum())"
_STAYING = "staying = some.stop % width == width - 1"
_FOUND = "found = np.maximum(found, np.maximum(self._largest_other(window, positions), -1))"
_FRESH = "fresh = np.append(True, (chosen[1:] != chosen[:-1]) | (line[1:] != line[:-1]))"
_OFFSET = "offset = group * (grid.size + 1)"
_FEW = "few = len(place) * 8 < len(into)"
_HEAVY = "heaviest = float(np.abs(weights).max()) * len(place) if len(place) else 0.0"
_HERE = "here = np.flatnonzero((spells.lo < hi) & (spells.lo <= grid.times[-1]))"
_GAP = "gap = np.append(True, fresh[1:] | (first[1:] > reach[:-1]))"
_ALL = "((spells.lo == spells.at + 1) & (spells.hi == NEVER)).all()"
_SORTED = "if len(line) < 2 or np.all((moments[1:] >= moments[:-1]) | (line[1:] != line[:-1])):"
_CUTS = "cuts = np.flatnonzero(ordered[1:] != ordered[:-1]) + 1"
_LAST = "return np.append(self.order, -1)[np.where(found, at, len(self.order))]"
_PAIR = "return who * (len(self.grid) + 1) + np.searchsorted(self.grid, moment)"
_BEGIN = "self.begin = np.searchsorted(spells.line, np.arange(lines + 1))"

EQUIVALENT: dict[tuple[str, str, str], str] = {
    (ASOF, "NEVER = np.int64(2**62)", "NEVER = np.int64(2**61)"):
        "still a moment that no T reaches, 73,000 years ahead",
    (ASOF, 'gone = frame["deleted"].to_numpy(dtype=bool, na_value=False)',
     'gone = frame["deleted"].to_numpy(dtype=bool, na_value=True)'):
        "no deleted is null: data.tables.normalise fills it",
    (ASOF, "keep = np.flatnonzero(~gone & (start < end))",
     "keep = np.flatnonzero(~gone & (start <= end))"):
        "a row seen for start <= T < end with start == end is seen at no T",
    (ASOF, "if not repeated.any(): return", "pass"): SPEED,
    (ASOF, "keyed = frame.iloc[at].groupby(list(contract.key), sort=False)",
     "keyed = frame.iloc[at].groupby(list(contract.key), sort=True)"):
        "in which order the groups are numbered does not matter",
    (ASOF, 'if name == "volumes": needed |= {"ds"}', "pass"): "ds is in the key of volumes as well",
    (ASOF, 'needed |= {"ds"}', "pass"): "ds is in the key of volumes as well",
    (ASOF, 'view = view.sort_values(ROW, kind="stable").reset_index(drop=True)',
     'view = view.sort_values(ROW, kind="stable").reset_index(drop=False)'):
        "the column that comes of it is not among those wanted",
    (KERNEL, "EXACT = 2.0**53", "EXACT = 2.0**54"):
        "to be told apart two sums past 2**53 would have to cancel, and then the heaviest value "
        "times its number passes 2**54 too",
    (KERNEL, "EXACT = 2.0**53", "EXACT = 1.0**53"): HOW_ADDED,
    (KERNEL, "EXACT = 2.0**53", "EXACT = 2.0**52"): HOW_ADDED,
    (KERNEL, "WRITTEN_OUT = 4_000_000", "WRITTEN_OUT = 4000001"): SPEED,
    (KERNEL, "WRITTEN_OUT = 4_000_000", "WRITTEN_OUT = 3999999"): SPEED,
    (KERNEL, _EDGES, _EDGES.replace("> 1", ">= 1")): SPEED,
    (KERNEL, _EDGES, _EDGES.replace("> 1", "> 0")): SPEED,
    (KERNEL, "self.width = len(self.edges) + 1", "self.width = len(self.edges) + 2"): SPARE,
    (KERNEL, _PLAIN, _PLAIN.replace("+ 1", "- 1")): PLAIN,
    (KERNEL, _PLAIN, _PLAIN.replace("+ 1", "+ 0")): PLAIN,
    (KERNEL, _PLAIN, _PLAIN.replace("+ 1", "+ 2")): PLAIN,
    (KERNEL, "moments = np.append(self.spells.at, -NEVER)",
     "moments = np.append(self.spells.at, NEVER)"):
        "where no row was found, the answer is -1 either way",
    (KERNEL, _FOUND, _FOUND.replace("-1))", "-2))")):
        "what was found among plain rows is -1 at least",
    (KERNEL, _FRESH, _FRESH.replace("True", "False")): GROUPS,
    (KERNEL, "group = np.cumsum(fresh) - 1", "group = np.cumsum(fresh) + 1"): GROUPS,
    (KERNEL, "group = np.cumsum(fresh) - 1", "group = np.cumsum(fresh) - 2"): GROUPS,
    (KERNEL, "group = np.cumsum(fresh) - 1", "group = np.cumsum(fresh) - 0"): GROUPS,
    (KERNEL, _OFFSET, _OFFSET.replace("+ 1", "+ 2")): GROUPS,
    (KERNEL, _OFFSET, _OFFSET.replace("+ 1", "+ 0")): GROUPS,
    (KERNEL, _OFFSET, _OFFSET.replace("+ 1", "- 1")): GROUPS,
    (KERNEL, _FEW, _FEW.replace("* 8", "// 8")): HOW_ADDED,
    (KERNEL, _FEW, _FEW.replace("8", "9")): HOW_ADDED,
    (KERNEL, _FEW, _FEW.replace("8", "7")): HOW_ADDED,
    (KERNEL, _FEW, _FEW.replace("<", "<=")): HOW_ADDED,
    (KERNEL, _HEAVY, _HEAVY.replace("0.0", "1.0")): HOW_ADDED,
    (KERNEL, "spans = zip(begins, self.now, strict=True)",
     "spans = zip(begins, self.now, strict=False)"): "both have one entry a T",
    (KERNEL, _STAYING, _STAYING.replace("- 1", "+ 1")): SPEED,
    (KERNEL, _STAYING, _STAYING.replace("- 1", "- 0")): SPEED,
    (KERNEL, _VOLUME, _VOLUME.replace(" - ", " + ")): SPEED,
    (KERNEL, _PIECES, _PIECES.replace("1 + volume", "1 - volume")):
        "the same below four million pairs, which no small test has",
    (KERNEL, _PIECES, _PIECES.replace("1 + volume", "2 + volume")): SPEED,
    (KERNEL, _HERE, _HERE.replace("&", "|")): LATER,
    (KERNEL, _HERE, _HERE.replace("lo < hi", "lo <= hi")): LATER,
    (KERNEL, "some = first < stop", "some = first <= stop"):
        "a row that begins and ends at one place adds and takes away there, and is written out "
        "nowhere",
    (KERNEL, _GAP, _GAP.replace("> reach", ">= reach")):
        "two spells of a value that touch count once whether they are joined or not",
    (TIMELINE, "self.plain = spells.plain or bool(", "self.plain = spells.plain and bool("): PLAIN,
    (TIMELINE, _ALL, _ALL.replace("+ 1", "- 1")): PLAIN,
    (TIMELINE, _ALL, _ALL.replace("+ 1", "+ 0")): PLAIN,
    (TIMELINE, _ALL, _ALL.replace("+ 1", "+ 2")): PLAIN,
    (TIMELINE, "if self.plain: return begun, None", "pass"): SPEED,
    (TIMELINE, _SORTED + " return Moments(moments, np.arange(len(moments)))", "pass"): SPEED,
    (TIMELINE, _SORTED, _SORTED.replace("2 or", "2 and")): SPEED,
    (TIMELINE, _SORTED, _SORTED.replace("< 2", "< 1")): SPEED,
    (TIMELINE, _SORTED, _SORTED.replace(" | ", " & ")): SPEED,
    (TIMELINE, _SORTED, _SORTED.replace(">=", ">")): SPEED,
    (TIMELINE, _CUTS, _CUTS.replace("[:-1]", "[:1]")):
        "more and smaller pieces, each still of one line",
    (LABELS, "first = np.where(stop > end, -1, first)", "first = np.where(stop > end, -2, first)"):
        NONE,
    (LABELS, _LAST, _LAST.replace("-1", "-2")): NONE,
    (LABELS, _PAIR, _PAIR.replace("+ 1", "+ 2")): "pairs further apart, in the same order",
    (LABELS, _PAIR, _PAIR.replace("+ 1", "+ 0")):
        "past the last moment of one customer is then before the first of the next, and no row is "
        "between",
    (TIMELINE, _BEGIN, _BEGIN.replace("+ 1", "+ 2")): "one more entry, which nothing asks for",
    (KERNEL, "if few or heaviest >= EXACT:", "if few or heaviest > EXACT:"):
        "no sum passes 2**53 yet where the heaviest times its number is that",
}  # fmt: skip
