"""Artist and venue ids: the same name in another spelling of case, width or punctuation gives the same id."""

from __future__ import annotations

import unicodedata

from pyspark.sql import Column
from pyspark.sql import functions as F

ID_LENGTH = 16  # hex digits of the hash


class _Separators(dict[int, str]):
    """Translation table: a character that is no letter, digit or mark becomes a space."""

    def __missing__(self, code: int) -> str:
        character = chr(code)
        self[code] = character if unicodedata.category(character)[0] in "LNM" else " "
        return self[code]


_SEPARATORS = _Separators()


def normalise(text: str | None) -> str | None:
    """Normalise a name for comparison.

    >>> normalise("  BJÖRK & Guðmundar—Tríó ")
    'björk guðmundar tríó'
    >>> normalise("ＡＣ／ＤＣ")
    'ac dc'
    >>> normalise("!!!")  # a band's name: nothing but signs stays as it is
    '!!!'
    """
    if text is None:
        return None
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(folded.translate(_SEPARATORS).split()) or folded.strip()


def artist_id(name: Column) -> Column:
    """'a' and a hash of the normalised name; null without a name."""
    return _id("a", name)


def venue_id(venue: Column, city: Column, country: Column) -> Column:
    """'v' and a hash of the normalised 'name|city|country'; null without a venue."""
    place = F.concat_ws("|", venue, F.coalesce(city, F.lit("")), F.coalesce(country, F.lit("")))
    return F.when(venue.isNotNull(), _id("v", place))


def _id(prefix: str, name: Column) -> Column:
    # Spark has no function for Unicode normalisation.
    normalised = F.udf(normalise, "string", useArrow=False)(name)
    return F.concat(F.lit(prefix), F.substring(F.sha2(normalised, 256), 1, ID_LENGTH))
