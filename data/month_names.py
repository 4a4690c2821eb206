"""The months as people's systems name them: one table for the languages in which no name means two.

Where a word is a month in one language and another month in the next (listopad), neither is here:
such dates are refused by row.

>>> MONTH_OF["märz"], MONTH_OF["sept"], MONTH_OF["août"]
('Mar', 'Sep', 'Aug')
"""

from __future__ import annotations

NAMES = {
    "Jan": "january januar janvier enero gennaio janeiro januari jänner janv ene gen jan",
    "Feb": "february februar février febrero febbraio fevereiro februari fevrier févr fév fev feb",
    "Mar": "march märz mars marzo março maart marts maerz mär mrz mrt mar",
    "Apr": "april avril abril aprile avr abr apr",
    "May": "may mai mayo maggio maio mei maj mag",
    "Jun": "june juni juin junio giugno junho giu jun",
    "Jul": "july juli juillet julio luglio julho juil lug jul",
    "Aug": "august août agosto augustus augusti aout aoû ago aug",
    "Sep": "september septembre septiembre settembre setembro sept sep set",
    "Oct": "october oktober octobre octubre ottobre outubro okt ott out oct",
    "Nov": "november novembre noviembre novembro nov",
    "Dec": "december dezember décembre diciembre dicembre dezembro desember decembre "
    "déc dez dic des dec",
}
"""English, German, French, Spanish, Italian, Portuguese, Dutch, Danish, Norwegian, Swedish."""
MONTH_OF = {word: month for month, words in NAMES.items() for word in words.split()}
