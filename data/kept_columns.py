"""Columns of tables in packs, each in as few bytes as give it back to the last bit.

One value all through is kept once, texts that come again by number, numbers in the narrowest type.

>>> import tempfile
>>> from pathlib import Path
>>> words = pd.Series(["a", "b", None, "a"], dtype="str")
>>> with tempfile.TemporaryDirectory() as folder:
...     writer = PackWriter(Path(folder) / "words.pack")
...     put_column(writer, "word", words)
...     writer.close()
...     column_of(Pack(Path(folder) / "words.pack"), "word")(np.array([3, 2, 1])).tolist()
['a', nan, 'b']
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from data.arrays import Ints
from data.packs import Array, Pack, PackWriter

if TYPE_CHECKING:
    import pyarrow as pa

TEXT = pd.StringDtype("pyarrow", na_value=np.nan)
SAMPLE = 50_000
"""So many values tell whether a column's texts come again."""
Take = Callable[[Ints], Any]
"""The values at some positions, as the column of a frame has them."""


def put_column(pack: PackWriter, name: str, values: pd.Series) -> None:
    """Keep a column of a normalised frame; TypeError for one of lists."""
    dtype, kind = values.dtype, str(values.dtype)
    if isinstance(dtype, pd.StringDtype):
        put_texts(pack, name, arrow_texts(values))
        return
    if kind in ("boolean", "Int64"):
        pack.add(f"{name} absent", _narrow(values.isna().to_numpy(bool)))
        plain = values.to_numpy("bool" if kind == "boolean" else "int64", na_value=0)
        values = pd.Series(plain)
    elif kind not in ("bool", "float64", "int64", "datetime64[us]"):
        raise TypeError(f"{name}: a column of {kind} cannot be kept")
    numbers = values.to_numpy()
    pack.notes[name] = kind
    pack.add(name, _narrow(numbers.view(np.int64) if kind.startswith("datetime") else numbers))


def put_texts(pack: PackWriter, name: str, texts: pa.Array) -> None:
    """Keep texts; those that come again by number."""
    steps = np.linspace(0, len(texts) - 1, min(len(texts), SAMPLE), dtype=np.int64)
    sample = texts.take(steps)
    if len(sample.unique()) * 2 > len(sample):
        put_plain(pack, name, texts)
        return
    put_numbered(pack, name, *numbered(texts))


def put_numbered(pack: PackWriter, name: str, numbers: Ints, texts: pa.Array) -> None:
    """Keep texts by their numbers, -1 for null."""
    pack.notes[name] = "numbered"
    pack.add(f"{name} number", _narrow(numbers))
    _put_each(pack, name, texts)


def put_plain(pack: PackWriter, name: str, texts: pa.Array) -> None:
    """Keep texts one after another."""
    pack.notes[name] = "texts"
    _put_each(pack, name, texts)


def numbered(texts: pa.Array) -> tuple[Ints, pa.Array]:
    """The number of each text, -1 for null, and the different texts."""
    encoded = texts.dictionary_encode()
    numbers = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    return numbers.astype(np.int64), encoded.dictionary


def arrow_texts(values: pd.Series) -> pa.Array:
    """A column of texts as one Arrow array."""
    import pyarrow as pa

    texts = pa.array(values, pa.large_string(), from_pandas=True)
    return texts.combine_chunks() if isinstance(texts, pa.ChunkedArray) else texts


def column_of(pack: Pack, name: str) -> Take:
    """A kept column."""
    import pyarrow as pa

    kind = pack.notes[name]
    if kind == "texts":
        texts = texts_of(pack, name)
        return lambda places: texts_as(texts.take(pa.array(places)))
    if kind == "numbered":
        texts, numbers = texts_of(pack, name), _taken(pack, f"{name} number")

        def named(places: Ints) -> Any:
            chosen = numbers(places)
            return texts_as(texts.take(pa.array(chosen, mask=chosen < 0)))

        return named
    values = _taken(pack, name)
    if kind in ("boolean", "Int64"):
        absent = _taken(pack, f"{name} absent")
        if kind == "boolean":
            return lambda places: pd.arrays.BooleanArray(values(places), absent(places))
        return lambda places: pd.arrays.IntegerArray(
            values(places).astype(np.int64), absent(places)
        )
    if kind == "datetime64[us]":
        return lambda places: values(places).astype(np.int64).view(kind)
    return lambda places: values(places).astype(kind, copy=False)


def texts_of(pack: Pack, name: str) -> pa.Array:
    """The texts kept under a name, where they came again each once, mapped."""
    import pyarrow as pa

    length = len(pack.array(f"{name} ends")) - 1
    parts = [f"{name} valid", f"{name} ends", f"{name} text"]
    buffers = [pa.py_buffer(pack.array(part)) if part in pack else None for part in parts]
    return pa.Array.from_buffers(pa.large_string(), length, buffers)


def names_of_texts(pack: Pack) -> list[str]:
    """The columns of texts in a pack."""
    return [name for name in pack.notes if f"{name} ends" in pack]


def _put_each(pack: PackWriter, name: str, texts: pa.Array) -> None:
    _, ends_buffer, text = texts.buffers()
    ends = np.frombuffer(ends_buffer, np.int64)[texts.offset : texts.offset + len(texts) + 1]
    characters = np.frombuffer(text or b"", np.uint8)[ends[0] : ends[-1]]
    if texts.null_count:
        valid = texts.is_valid().to_numpy(zero_copy_only=False)
        pack.add(f"{name} valid", np.packbits(valid, bitorder="little"))
    pack.add(f"{name} ends", ends - ends[0])
    pack.add(f"{name} text", characters)


def texts_as(texts: pa.Array) -> Any:
    """Arrow's texts as a column has them."""
    return pd.arrays.ArrowStringArray(texts, dtype=TEXT)


def _taken(pack: Pack, name: str) -> Take:
    values = pack.array(name)
    if len(values) == 1:  # one value all through
        return lambda places: np.full(len(places), values[0])
    return lambda places: values[places]


def _narrow(values: Array) -> Array:
    """The same numbers in fewer bytes; one, where all are the same."""
    if not len(values):
        return values
    bits = values.view(np.int64) if values.dtype == np.float64 else values
    if (bits == bits[0]).all():
        return values[:1]
    if values.dtype == np.float64:
        with np.errstate(over="ignore"):
            short = values.astype(np.float32)
        return short if np.array_equal(short, values, equal_nan=True) else values
    if values.dtype == np.int64:
        low, high = int(values.min()), int(values.max())
        for kind in (np.int8, np.int16, np.int32):
            if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
                return values.astype(kind)
    return values
