"""Normalised names: what makes one artist or venue of two spellings."""

import doctest
from types import ModuleType

import pytest
from concert_etl import identity, names


@pytest.mark.parametrize("module", [identity, names])
def test_examples_of_the_documentation_hold(module: ModuleType) -> None:
    results = doctest.testmod(module)

    assert results.attempted >= 3 and results.failed == 0


@pytest.mark.parametrize(
    ("text", "normalised"),
    [
        (None, None),
        ("Björk", "björk"),
        ("Bjo\u0308rk", "björk"),  # a letter and a mark
        ("中島みゆき", "中島みゆき"),
        ("हिन्दी", "हिन्दी"),  # vowel signs are marks
        ("Ⅷ", "viii"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("A$AP_Rocky", "a ap rocky"),
        ("☆★", "☆★"),
        ("  ", ""),
    ],
)
def test_names_are_normalised(text: str | None, normalised: str | None) -> None:
    assert names.normalise(text) == normalised
