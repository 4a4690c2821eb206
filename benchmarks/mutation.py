"""Files made wrong: every mutant of a Python source, found in its syntax tree.

>>> [m.after for m in mutants_of("x.py", "def f(a, b):\\n    return a < b\\n")]
['return a <= b']
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

COMPARISONS = {
    "<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==",
    "is": "is not", "is not": "is", "in": "not in", "not in": "in",
}  # fmt: skip
SYMBOLS: dict[type[ast.AST], str] = {
    ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!=",
    ast.Is: "is", ast.IsNot: "is not", ast.In: "in", ast.NotIn: "not in",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/", ast.FloorDiv: "//",
    ast.BitAnd: "&", ast.BitOr: "|", ast.Pow: "**", ast.Mod: "%",
}  # fmt: skip
ARITHMETIC = {"+": "-", "-": "+", "*": "//", "/": "*", "//": "*", "&": "|", "|": "&"}
TWINS = {
    "min": "max", "minimum": "maximum", "fmin": "fmax", "nanmin": "nanmax", "argmin": "argmax",
    "any": "all", "NEVER": "ALWAYS",
}  # fmt: skip
TWINS |= {other: name for name, other in TWINS.items()}


@dataclass(frozen=True)
class Mutant:
    """One change: ``before`` and ``after`` are the changed lines, ``source`` the whole file."""

    path: str
    line: int
    kind: str
    before: str
    after: str
    source: str = field(repr=False)

    @property
    def change(self) -> tuple[str, str, str]:
        """What it is known by, whatever its line number."""
        return self.path, self.before, self.after

    def __str__(self) -> str:
        return f"{self.path}:{self.line} [{self.kind}]\n    - {self.before}\n    + {self.after}"


def replaced(path: str, source: str, at: int, before: str, after: str, kind: str) -> Mutant:
    """The mutant in which ``before``, at that place, is ``after``."""
    assert source[at : at + len(before)] == before
    changed = source[:at] + after + source[at + len(before) :]
    line = source.count("\n", 0, at)
    begin = source.rfind("\n", 0, at) + 1
    end = source.find("\n", at + len(before))
    end = len(source) if end < 0 else end
    tail = len(source) - end
    return Mutant(
        path, line + 1, kind, _one_line(source[begin:end]),
        _one_line(changed[begin : len(changed) - tail]), changed,
    )  # fmt: skip


def _one_line(text: str) -> str:
    return " ".join(text.split())


def mutants_of(path: str, source: str) -> list[Mutant]:
    """Every mutant, in the order of the file; equal files once.

    Docstrings, annotations, imports, decorators and what an error says are left alone.
    """
    found: dict[str, Mutant] = {}
    text = _Text(source)
    for node in _nodes(ast.parse(source)):
        for begin, end, after, kind in text.changes(node):
            mutant = replaced(path, source, begin, source[begin:end], after, kind)
            found.setdefault(mutant.source, mutant)
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """The nodes that are worth a change."""
    for name, value in ast.iter_fields(tree):
        if name in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST):
                continue
            skipped = ast.Raise | ast.Import | ast.ImportFrom | ast.JoinedStr | ast.Assert
            if isinstance(child, skipped) or _is_text(child):
                continue
            yield child
            yield from _nodes(child)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


Change = tuple[int, int, str, str]


class _Text:
    """A source whose nodes are found again as places of characters."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.lines = source.splitlines(keepends=True)
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line))

    def place(self, line: int, column: int) -> int:
        return self.starts[line - 1] + len(self.lines[line - 1].encode()[:column].decode())

    def begin(self, node: ast.expr | ast.stmt) -> int:
        return self.place(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None and node.end_col_offset is not None
        return self.place(node.end_lineno, node.end_col_offset)

    def changes(self, node: ast.AST) -> Iterator[Change]:
        """(begin, end, text instead, kind)."""
        if isinstance(node, ast.Compare):
            sides = [node.left, *node.comparators]
            for left, operator, right in zip(sides, node.ops, sides[1:], strict=False):
                symbol = SYMBOLS[type(operator)]
                yield self._between(left, right, symbol, COMPARISONS[symbol], "comparison")
        elif isinstance(node, ast.BinOp):
            symbol = SYMBOLS[type(node.op)]
            if symbol in ARITHMETIC:
                yield self._between(node.left, node.right, symbol, ARITHMETIC[symbol], "arithmetic")
        elif isinstance(node, ast.AugAssign):
            symbol = SYMBOLS[type(node.op)]
            if symbol in ARITHMETIC:
                after = ARITHMETIC[symbol] + "="
                yield self._between(node.target, node.value, symbol + "=", after, "arithmetic")
        elif isinstance(node, ast.BoolOp):
            word, other = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
            for left, right in zip(node.values, node.values[1:], strict=False):
                yield self._between(left, right, word, other, "and, or")
        elif isinstance(node, ast.UnaryOp):
            yield self.begin(node), self.begin(node.operand), "", "sign, not"
        elif isinstance(node, ast.Constant):
            yield from self._constant(node)
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            if name in TWINS and isinstance(node.ctx, ast.Load):
                yield self.end(node) - len(name), self.end(node), TWINS[name], "min, max"
        elif isinstance(node, ast.Call):
            yield from self._side(node)
        if isinstance(node, ast.stmt) and _may_go(node):
            yield self.begin(node), self.end(node), "pass", "left out"

    def _between(
        self, left: ast.expr, right: ast.expr, symbol: str, after: str, kind: str
    ) -> Change:
        gap = self.source[self.end(left) : self.begin(right)]
        at = self.end(left) + gap.index(symbol)
        return at, at + len(symbol), after, kind

    def _constant(self, node: ast.Constant) -> Iterator[Change]:
        value, begin, end = node.value, self.begin(node), self.end(node)
        if isinstance(value, bool):
            yield begin, end, str(not value), "constant"
        elif isinstance(value, int | float):
            yield begin, end, repr(value + 1), "constant"
            if value != 0:
                yield begin, end, repr(value - 1), "constant"
        elif value in ("left", "right"):
            yield begin, end, '"right"' if value == "left" else '"left"', "side"

    def _side(self, node: ast.Call) -> Iterator[Change]:
        """A searchsorted that names no side gets the other one."""
        if not (isinstance(node.func, ast.Attribute) and node.func.attr == "searchsorted"):
            return
        given = [*node.args, *(word.value for word in node.keywords)]
        if any(isinstance(v, ast.Constant) and v.value in ("left", "right") for v in given):
            return
        at = self.end(node) - 1
        comma = "" if self.source[:at].rstrip().endswith(",") else ", "
        yield at, at, f'{comma}side="right"', "side"


def _may_go(node: ast.stmt) -> bool:
    """Statements whose loss leaves a program that runs: effects, changes in place, guards."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    if isinstance(node, ast.Assign):
        (target, *more) = node.targets
        if isinstance(target, ast.Subscript):
            return True
        read = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
        names = [n.id for n in ast.walk(target) if isinstance(n, ast.Name)]
        return not more and any(name in read for name in names)  # x = f(x)
    if isinstance(node, ast.If):
        return not node.orelse
    return isinstance(node, ast.AugAssign)
