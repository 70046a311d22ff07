"""Artist and venue ids: the same name in another spelling of case, width or punctuation gives the same id."""

from __future__ import annotations

import unicodedata
from hashlib import sha256

from pyspark.sql import Column
from pyspark.sql import functions as F

ID_LENGTH = 16  # hex digits of the hash
LATIN_END = 0x250  # the first character after the Latin letters with their accents


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


def comparable(text: str) -> str:
    """A name as it is compared with similar ones: also without accents, a leading article and the word for '&'.

    >>> comparable("The Beatles"), comparable("Beyoncé"), comparable("Simon and Garfunkel")
    ('beatles', 'beyonce', 'simon garfunkel')
    """
    letters = unicodedata.normalize("NFD", normalise(text) or "")
    plain = ""
    for letter in letters:
        # Of other scripts the marks tell letters apart: か is not が.
        if not (unicodedata.combining(letter) and plain and ord(plain[-1]) < LATIN_END):
            plain += letter
    words = unicodedata.normalize("NFC", plain).split()
    kept = [word for number, word in enumerate(words) if word != "and" and (word != "the" or number)]
    return " ".join(kept or words)


def artist_id(name: str, *salt: str) -> str:
    """'a' and a hash of the normalised name.

    :param salt: what tells a namesake from the one who bears the name already
    """
    return _id("a", "|".join([normalise(name) or "", *salt]))


def venue_id(name: str, city: str | None, country: str | None) -> str:
    """'v' and a hash of the normalised 'name|city|country'."""
    return _id("v", normalise(place(name, city, country)) or "")


def place(name: str, city: str | None, country: str | None) -> str:
    return f"{name}|{city or ''}|{country or ''}"


def artist_ids(name: Column) -> Column:
    """As artist_id, of a column; null without a name."""
    return _ids("a", name)


def venue_ids(venue: Column, city: Column, country: Column) -> Column:
    """As venue_id, of columns; null without a venue."""
    text = F.concat_ws("|", venue, F.coalesce(city, F.lit("")), F.coalesce(country, F.lit("")))
    return _ids("v", F.when(venue.isNotNull(), text))


def _id(prefix: str, text: str) -> str:
    return prefix + sha256(text.encode()).hexdigest()[:ID_LENGTH]


def _ids(prefix: str, name: Column) -> Column:
    # Spark has no function for Unicode normalisation.
    normalised = F.udf(normalise, "string", useArrow=False)(name)
    return F.concat(F.lit(prefix), F.substring(F.sha2(normalised, 256), 1, ID_LENGTH))
