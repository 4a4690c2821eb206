"""A company's own features: the lines of ``features.py`` in its workspace, in the words of
features/language.py.

>>> from data.tables import MemoryTables
>>> text = '''
... LATE = Compare(">", ORDERS["delivered_at"], ORDERS["promised_at"])   # capitals: a part
... big_orders = count(ORDERS, where=Compare(">", ORDERS["amount"], 100), days=28)
... [count(ORDERS, where=LATE.named("late"), days=days) for days in (5, 10)]
... '''
>>> for feature in own_features(text, MemoryTables({}), Null(ORDERS["amount"])):
...     print(feature.name)
big_orders
orders_late_count_5d
orders_late_count_10d

A line that is a feature, or a list of them, adds it under its own name; ``name = ...`` under that
name; a name in capitals is a part that other lines use. The file is text that the settings read
from the workspace's folder and from nowhere else. It is no Python module: a line can call these
words and nothing more, so opening a workspace runs nobody's program. What the lines define travels
with the model as JSON like every other feature.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from data.errors import DataError, DefinitionError, did_you_mean
from data.tables import Tables, attributes_of
from features import language, sources
from features.expression import Column
from features.predicate import Null, Predicate
from features.sources import ORDERS, Source, attribute
from features.spec import Feature

__all__ = ["NAME", "Null", "ORDERS", "own_features", "with_own_columns"]

NAME = "features.py"
METHODS = ("named", "with_customer")


def own_features(text: str, tables: Tables, complaint: Predicate) -> list[Feature]:
    """The features that the text of ``features.py`` defines, in its order.

    Parameters
    ----------
    text: the file's content.
    tables: whose own columns (``[data] attributes``) the lines may name like any other.
    complaint: which tickets are complaints; the lines know it as ``COMPLAINT``.

    Raises
    ------
    DefinitionError naming the file, the line and what to do.
    """
    known = _words(tables, complaint)
    features: list[Feature] = []
    for line in _lines(text):
        try:
            features += _of_line(line, known)
        except (DataError, DefinitionError) as error:
            raise DefinitionError(f"{NAME} line {line.lineno}: {error}") from None
        except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            raise DefinitionError(f"{NAME} line {line.lineno}: {error}") from None
    return features


def with_own_columns(source: Source, tables: Tables) -> Source:
    """The same source, whose ``[...]`` knows the own columns of its tables too."""
    kinds = {
        (table, name): attribute(tables, name, table).kind
        for table in source.tables
        for name in attributes_of(table, tables.attributes)
    }
    return source.with_own(kinds) if kinds else source


def _words(tables: Tables, complaint: Predicate) -> dict[str, Any]:
    """Everything that a line may name."""
    words: dict[str, Any] = {name: getattr(language, name) for name in language.__all__}
    for name, source in vars(sources).items():
        if isinstance(source, Source):
            words[name] = with_own_columns(source, tables)
    return {**words, "COMPLAINT": complaint}


def _lines(text: str) -> Iterable[ast.Assign | ast.Expr]:
    try:
        module = ast.parse(text, NAME)
    except SyntaxError as error:
        where = f"{NAME} line {error.lineno}"
        raise DefinitionError(f"{where}: {error.msg}: {str(error.text).strip()}") from None
    except ValueError as error:  # a zero byte
        raise DefinitionError(f"{NAME}: {error}") from None
    for at, line in enumerate(module.body):
        if isinstance(line, ast.ImportFrom) and str(line.module).split(".")[0] == "features":
            continue  # for editors: the words are there anyway
        if at == 0 and ast.get_docstring(module) is not None:
            continue  # what the file is about
        if isinstance(line, ast.Expr) or (
            isinstance(line, ast.Assign)
            and len(line.targets) == 1
            and isinstance(line.targets[0], ast.Name)
        ):
            yield line
            continue
        raise DefinitionError(
            f"{NAME} line {line.lineno}: a line is a feature, or NAME = a part of one; there is no "
            "import, def, if or loop here"
        )


def _value(part: ast.expr, known: Mapping[str, Any]) -> Any:
    """What an expression of a line is: calls of the words, filters joined, and nothing more."""
    match part:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            if name in known:
                return known[name]
            near = did_you_mean(name, known) or f" There are {', '.join(sorted(known))}"
            raise DefinitionError(f"{name!r} is no word of this file.{near}")
        case ast.Tuple() | ast.List():
            return _parts(part.elts, known)
        case ast.GeneratorExp() | ast.ListComp():
            return list(_each(part.elt, part.generators, known))
        case ast.Subscript():
            source = _value(part.value, known)
            if isinstance(source, Source):
                return source[_value(part.slice, known)]
        case ast.BinOp(op=ast.BitAnd() | ast.BitOr()):
            left, right = _value(part.left, known), _value(part.right, known)
            return left & right if isinstance(part.op, ast.BitAnd) else left | right
        case ast.UnaryOp(op=ast.Invert() | ast.USub()):
            of = _value(part.operand, known)
            return ~of if isinstance(part.op, ast.Invert) else -of
        case ast.Call(func=ast.Name() | ast.Attribute()):
            called = _called(part.func, known)
            named = {str(k.arg): _value(k.value, known) for k in part.keywords if k.arg}
            if callable(called) and len(named) == len(part.keywords):
                return called(*_parts(part.args, known), **named)
    raise DefinitionError(
        f"{ast.unparse(part)} is not possible here: lines call the words of features/language.py, "
        "with &, | and ~ between filters"
    )


def _called(part: ast.expr, known: Mapping[str, Any]) -> Any:
    if isinstance(part, ast.Attribute):
        of = _value(part.value, known)
        possible = part.attr in METHODS and isinstance(of, Feature | Predicate | Source)
        return getattr(of, part.attr) if possible else None
    return _value(part, known)


def _parts(parts: Iterable[ast.expr], known: Mapping[str, Any]) -> tuple[Any, ...]:
    values: list[Any] = []
    for part in parts:
        if isinstance(part, ast.Starred):
            values += _value(part.value, known)
        else:
            values.append(_value(part, known))
    return tuple(values)


def _each(part: ast.expr, over: list[ast.comprehension], known: Mapping[str, Any]) -> Iterator[Any]:
    """``part for name in values``, each value in turn."""
    if not over:
        yield _value(part, known)
        return
    first, *rest = over
    if not isinstance(first.target, ast.Name) or first.ifs or first.is_async:
        raise DefinitionError("a list goes over the values of one name: f(x) for x in (1, 2)")
    for value in _value(first.iter, known):
        yield from _each(part, rest, {**known, first.target.id: value})


def _of_line(line: ast.Assign | ast.Expr, known: dict[str, Any]) -> list[Feature]:
    """The features that a line adds; what it names is there for the lines below."""
    value = _value(line.value, known)
    if isinstance(line, ast.Expr):
        many = list(_flat(value))
        if not many:
            raise DefinitionError("it is no feature; a part that other lines use needs a name")
        return many
    target = line.targets[0]
    assert isinstance(target, ast.Name)
    if target.id in known and target.id == target.id.upper():
        raise DefinitionError(f"{target.id} is a word already; take another name")
    if target.id == target.id.upper() or not isinstance(value, Feature):
        if target.id != target.id.upper():
            raise DefinitionError(
                f"{target.id} is no feature; parts that other lines use have names in capitals"
            )
        known[target.id] = value
        return []
    named = known[target.id] = replace(value, name=target.id)
    return [named]


def _flat(value: Any) -> Iterable[Feature]:
    if isinstance(value, Feature):
        yield value
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _flat(part)
    else:
        raise DefinitionError(f"it is no feature: {value!r}")


def joined(own: Iterable[Feature], every: Iterable[Feature]) -> list[Feature]:
    """Those of ``own`` that are not there yet. DefinitionError for one that has another's name, or
    is one that is there under another name."""
    names: Mapping[str, Feature] = {feature.name: feature for feature in every}
    nodes = {feature.node: feature.name for feature in names.values()}
    by_name: dict[str, Feature] = {}
    for feature in own:
        there = names.get(feature.name) or by_name.get(feature.name)
        if there is not None and there.node == feature.node:
            continue
        if there is not None:
            raise DefinitionError(
                f"{NAME}: the name {feature.name} is taken by {there.formula}; give "
                f"{feature.formula} another, as in name = ..."
            )
        if feature.node in nodes:
            raise DefinitionError(
                f"{NAME}: {feature.name} is {nodes[feature.node]}, which every model has: take the "
                "line out"
            )
        by_name[feature.name] = feature
    return list(by_name.values())


def dates(source: Source, column: Column) -> list[Feature]:
    """A date of the company's own: the days since it passed, and until it comes. It is known from
    the moment on at which its row is, as that row's version says it."""
    prefix = f"{source.label}_{column.label}"
    prefix = prefix.replace("customers_", "customer_", 1)
    own = source.with_own({(column.table, column.name): column.kind})
    since = language.since_last(own, since=column.name)
    until = language.until_next(own, at=column.name, days=LONGEST_AHEAD)
    return [since.named(f"{prefix}_since_days"), until.named(f"{prefix}_until_days")]


LONGEST_AHEAD = 7305.0
"""Days: the longest window there is, twenty years."""
