"""Forgetting a person: what names them, where it stands, and the proof that nothing is left.

traces.py       what names them: the id, the keys of their rows, strings that are theirs alone
finder.py       those strings in text, in bytes and in columns
formats.py      a file with and without what names them, by format; tables.py the tables
places.py       where in a workspace they may stand; store_rows.py the store
erase.py        the erasure, its journal (journal.py) and its proof
expiry.py       what is kept no longer than [retention] says
held.py         all that is held about one, for them to read
"""

from data.erasure.erase import Erasure, erase, survey
from data.erasure.expiry import expire
from data.erasure.held import Held, export_held
from data.erasure.journal import unfinished
from data.erasure.places import NamedPlace

__all__ = [
    "Erasure",
    "NamedPlace",
    "Held",
    "erase",
    "expire",
    "export_held",
    "survey",
    "unfinished",
]
