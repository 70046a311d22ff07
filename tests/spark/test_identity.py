"""Identity resolution: each rule, what goes to review, and that nothing depends on order or repetition."""

import itertools
from typing import Any

import pytest
from concert_etl.identity import Identity, Reference, Resolver, similarity
from concert_etl.names import artist_id, venue_id
from concert_etl.publishing import CuratedBucket
from concert_etl.references import Mention
from concert_etl.registry import Registry
from concert_etl.resolution import resolve as resolve_run

MBID, OTHER_MBID = "87c5dedd-371d-4a53-9f7f-80522fb7f3cb", "5b11f4ce-a62d-471e-81fc-a69a8278c7da"
SPOTIFY = "spotify:7w29UYBi0qsHi5RTcv3lmA"


def artist(source: str, source_id: str | None, name: str, *keys: str) -> Reference:
    return Reference("artist", source, source_id, name, keys=keys)


def venue(source: str, source_id: str, name: str, city: str | None = "London", country: str | None = "GB") -> Reference:
    return Reference("venue", source, source_id, name, city, country)


def resolve(*references: Reference, known: list[Identity] | None = None) -> dict[str, Identity]:
    """Identities by source and source id, such as ``spotify s1``."""
    resolver = Resolver(known or [], aliases_of(known or []), snapshot=1 + len(known or []), run_id="run")
    return {f"{item.reference.source} {item.reference.source_id}": item for item in resolver.resolve(references)}


def aliases_of(known: list[Identity]) -> dict[tuple[str, str], str]:
    return {(item.reference.entity, item.reference.default_id): item.platform_id for item in known if item.is_alias}


def test_the_first_record_gives_the_identity_its_name_and_id() -> None:
    found = resolve(artist("spotify", "s1", "Björk"))["spotify s1"]

    assert (found.platform_id, found.rule, found.score, found.status) == (
        artist_id("BJÖRK "),
        "first_seen",
        1.0,
        "matched",
    )
    assert (found.matched_id, found.matched_name) == (found.platform_id, "Björk")


@pytest.mark.parametrize(
    ("key", "rule"),
    [
        (f"musicbrainz:{MBID}", "musicbrainz_id"),
        (SPOTIFY, "spotify_id"),
        ("ticketmaster:K8vZ9171ob7", "ticketmaster_id"),
        ("ticketmaster_number:919340", "ticketmaster_number"),
    ],
)
def test_the_same_external_id_is_the_same_artist_whatever_the_name(key: str, rule: str) -> None:
    found = resolve(artist("setlistfm", "x", "Björk", key), artist("ticketmaster", "t", "Bjork Gudmundsdottir", key))

    assert found["ticketmaster t"].platform_id == found["setlistfm x"].platform_id == artist_id("Björk")
    assert (found["ticketmaster t"].rule, found["ticketmaster t"].matched_name) == (rule, "Björk")


def test_an_exact_id_comes_before_the_name() -> None:
    found = resolve(
        artist("setlistfm", "1", "Nirvana", f"musicbrainz:{MBID}"),
        artist("setlistfm", "2", "Nirvana UK", f"musicbrainz:{OTHER_MBID}"),
        artist("ticketmaster", "t", "Nirvana", f"musicbrainz:{OTHER_MBID}"),
    )

    assert found["ticketmaster t"].platform_id == found["setlistfm 2"].platform_id != found["setlistfm 1"].platform_id


def test_the_same_name_is_the_same_artist_when_no_id_says_otherwise() -> None:
    found = resolve(
        artist("setlistfm", "1", "中島みゆき", f"musicbrainz:{MBID}"),
        artist("spotify", "s", "中島みゆき ", SPOTIFY),
        artist("ticketmaster", "t", "AC/DC"),
        artist("spotify", "a", "ＡＣ-ＤＣ"),
    )

    assert found["spotify s"].platform_id == found["setlistfm 1"].platform_id
    assert (found["spotify s"].rule, found["spotify s"].score) == ("same_name", 1.0)
    assert found["spotify a"].platform_id == found["ticketmaster t"].platform_id


def test_a_namesake_with_another_id_is_another_artist_to_be_reviewed() -> None:
    found = resolve(
        artist("setlistfm", "1", "Nirvana", f"musicbrainz:{MBID}"),
        artist("setlistfm", "2", "Nirvana", f"musicbrainz:{OTHER_MBID}"),
    )
    first, second = found["setlistfm 1"], found["setlistfm 2"]

    assert first.platform_id == artist_id("Nirvana") != second.platform_id
    assert (second.rule, second.status, second.score) == ("same_name_other_ids", "review", 0.5)
    assert second.matched_id == first.platform_id


@pytest.mark.parametrize(
    ("name", "other"),
    [("Beyoncé", "Beyonce"), ("The Beatles", "Beatles"), ("Simon & Garfunkel", "Simon and Garfunkel")],
)
def test_accents_articles_and_the_word_for_and_make_no_other_artist(name: str, other: str) -> None:
    found = resolve(artist("setlistfm", "1", name), artist("spotify", "2", other))

    assert found["spotify 2"].platform_id == found["setlistfm 1"].platform_id
    assert (found["spotify 2"].rule, found["spotify 2"].status) == ("similar_name", "matched")
    assert found["spotify 2"].score < 1


def test_a_low_score_is_left_unmatched_and_listed() -> None:
    found = resolve(artist("spotify", "1", "Jelly Roll"), artist("ticketmaster", "2", "Jellyroll"))
    doubtful = found["ticketmaster 2"]

    assert doubtful.platform_id == artist_id("Jellyroll") != found["spotify 1"].platform_id
    assert (doubtful.status, doubtful.matched_id) == ("review", found["spotify 1"].platform_id)
    assert 0.85 <= doubtful.score < 0.99


def test_marks_of_other_scripts_tell_names_apart() -> None:
    found = resolve(artist("spotify", "1", "かき"), artist("spotify", "2", "かぎ"))

    assert found["spotify 1"].platform_id != found["spotify 2"].platform_id


def test_a_venue_is_the_same_by_name_and_place() -> None:
    found = resolve(
        venue("setlistfm", "1", "The Forum", "Inglewood", "US"),
        venue("ticketmaster", "2", "THE FORUM", "inglewood", "US"),
        venue("ticketmaster", "3", "The Forum", "London", "GB"),
    )

    assert (
        found["ticketmaster 2"].platform_id
        == found["setlistfm 1"].platform_id
        == venue_id("the forum", "Inglewood", "US")
    )
    assert found["ticketmaster 2"].rule == "same_name_and_place"
    assert (found["ticketmaster 3"].rule, found["ticketmaster 3"].status) == ("first_seen", "matched")


def test_a_similar_venue_of_the_same_city_is_matched_and_a_less_similar_one_reviewed() -> None:
    found = resolve(
        venue("setlistfm", "1", "O2 Academy Brixton"),
        venue("ticketmaster", "2", "The O2 Academy Brixton"),
        venue("ticketmaster", "3", "O2 Academy Brixton Bar"),
        venue("ticketmaster", "4", "O2 Academy Brixton", "Leeds"),
    )

    assert found["ticketmaster 2"].platform_id == found["setlistfm 1"].platform_id
    assert found["ticketmaster 2"].rule == "similar_name_and_place"
    assert (found["ticketmaster 3"].status, found["ticketmaster 3"].rule) == ("review", "similar_name_and_place")
    assert found["ticketmaster 4"].rule == "first_seen"


def test_a_number_tells_two_halls_apart() -> None:
    assert similarity("Great Concert Hall of Europe 1", "Great Concert Hall of Europe 2") < 0.92


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Los Angeles Convention Center - West Hall", "Los Angeles Convention Center - South Hall"),
        ("Palais des Congrès Salle Est", "Palais des Congrès Salle Ouest"),
        ("Palacio de los Deportes Sala Este", "Palacio de los Deportes Sala Oeste"),
        ("Manchester Academy II", "Manchester Academy III"),
        ("Messe Dortmund Osthalle", "Messe Dortmund Westhalle"),
        ("Eastside Bowl", "Westside Bowl"),
        ("Royal Concert Hall Studio VII", "Royal Concert Hall Studio VIII"),
        ("Brooklyn Academy of Music Opera House A", "Brooklyn Academy of Music Opera House B"),
        ("Theatre at Grand Prairie Amphitheatre", "Theatre at Grand Prairie Amphitheatre Bar"),
    ],
)
def test_a_word_tells_two_halls_apart_however_long_their_names(name: str, other: str) -> None:
    found = resolve(venue("setlistfm", "1", name), venue("ticketmaster", "2", other))
    doubtful = found["ticketmaster 2"]

    assert doubtful.platform_id == venue_id(other, "London", "GB") != found["setlistfm 1"].platform_id
    assert (doubtful.status, doubtful.matched_id) == ("review", found["setlistfm 1"].platform_id)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("Helen Hayes Theatre", "Helen Hayes Theater"),
        ("Greater Austin Convention Centre", "Greater Austin Convention Center"),
        ("Sydney Harbour Hall", "Sydney Harbor Hall"),
    ],
)
def test_another_spelling_of_a_word_is_the_same_venue(name: str, other: str) -> None:
    found = resolve(venue("setlistfm", "1", name), venue("ticketmaster", "2", other))

    assert found["ticketmaster 2"].platform_id == found["setlistfm 1"].platform_id


def test_two_ids_of_a_source_under_two_names_are_not_joined_by_a_score() -> None:
    found = resolve(
        venue("setlistfm", "1", "Helen Hayes Theatre"),
        venue("ticketmaster", "2", "Helen Hayes Theater"),
        venue("ticketmaster", "3", "Helen Hays Theater"),
        venue("ticketmaster", "4", "HELEN HAYES Theater"),
        artist("ticketmaster", "5", "Beyonce"),
        artist("ticketmaster", "6", "Beyoncé"),
    )

    known = found["setlistfm 1"].platform_id
    assert found["ticketmaster 2"].platform_id == found["ticketmaster 4"].platform_id == known
    assert (found["ticketmaster 3"].status, found["ticketmaster 3"].matched_id) == ("review", known)
    assert found["ticketmaster 3"].platform_id != known
    assert found["ticketmaster 6"].status == "review"
    assert found["ticketmaster 6"].platform_id != found["ticketmaster 5"].platform_id


def test_a_venue_without_city_is_compared_with_none() -> None:
    found = resolve(venue("setlistfm", "1", "Arena One", None), venue("ticketmaster", "2", "Arena Ones", None))

    assert found["ticketmaster 2"].rule == "first_seen"


REFERENCES = [
    artist("ticketmaster", "t", "Beyonce", f"musicbrainz:{MBID}"),
    artist("setlistfm", MBID, "Beyoncé Knowles", f"musicbrainz:{MBID}"),
    artist("spotify", "s", "Beyoncé", SPOTIFY),
    venue("ticketmaster", "v", "Hall"),
]


def test_the_order_of_the_records_decides_nothing() -> None:
    results: list[Any] = [resolve(*order) for order in itertools.permutations(REFERENCES)]

    assert all(result == results[0] for result in results)


def test_an_assignment_once_made_never_changes() -> None:
    first = resolve(artist("spotify", "s", "Prince", SPOTIFY))
    # Somebody else turns out to have the same id, and comes earlier by source.
    later = resolve(
        artist("spotify", "s", "The Artist", SPOTIFY),
        artist("setlistfm", "1", "Prince Rogers Nelson", SPOTIFY),
        known=list(first.values()),
    )

    assert later["spotify s"] == first["spotify s"]
    assert later["setlistfm 1"].platform_id == artist_id("Prince")


def test_a_known_record_takes_on_external_ids_that_later_ones_are_found_by() -> None:
    first = resolve(artist("ticketmaster", "t", "Prince"))
    second = resolve(artist("ticketmaster", "t", "Prince", f"musicbrainz:{MBID}"), known=list(first.values()))
    third = resolve(artist("setlistfm", MBID, "Prince Rogers", f"musicbrainz:{MBID}"), known=list(second.values()))

    assert second["ticketmaster t"].platform_id == first["ticketmaster t"].platform_id
    assert third[f"setlistfm {MBID}"].platform_id == artist_id("Prince")


def test_another_name_of_an_identity_is_its_alias_unless_somebody_bears_it() -> None:
    known = list(
        resolve(artist("setlistfm", MBID, "Prince", f"musicbrainz:{MBID}"), artist("spotify", "s", "Symbol")).values()
    )
    found = resolve(
        artist("ticketmaster", "1", "Prince Rogers", f"musicbrainz:{MBID}"),
        artist("ticketmaster", "2", "Symbol", f"musicbrainz:{MBID}"),
        known=known,
    )

    assert found["ticketmaster 1"].is_alias
    assert not found["ticketmaster 2"].is_alias, "box office of the one who is called so already stays theirs"


BJORK, ICELANDER = (
    artist("spotify", "1", "Björk", "spotify:1", "ticketmaster:k"),
    artist("ticketmaster", "k", "Icelander", "ticketmaster:k"),
)
BATCHES = [
    [BJORK, ICELANDER],
    [artist("spotify", "2", "Icelander", "spotify:2")],  # told from the others by an id that Björk's record has
    [artist("setlistfm", "3", "Icelander", "ticketmaster:k"), artist("lastfm", "4", "Bjork")],
]


@pytest.mark.parametrize("jobs", [[0, 1, 2], [0, 1, 1], [0, 0, 0]], ids=str)
def test_it_does_not_matter_which_runs_are_curated_in_one_job(jobs: list[int], spark: Any, buckets: Any) -> None:
    """:param jobs: job of each batch"""
    found = {}
    for job, batches in itertools.groupby(zip(jobs, BATCHES, strict=True), key=lambda pair: pair[0]):
        registry = Registry(spark, buckets.catalogue, "concerts", CuratedBucket(buckets.s3, "curated"))
        for number, (_, batch) in enumerate(batches):
            mentions = [Mention(f"id {item.source_id}", False, item) for item in batch]
            matches = resolve_run(mentions, registry, f"run-{job}-{number}", None).matches
            found |= {item.reference.source_id: (item.platform_id, item.rule, item.status) for item in matches}
        if snapshot := registry.write(str(job)):
            registry.publish(snapshot)

    known = artist_id("Björk")
    assert found == {
        "1": (known, "first_seen", "matched"),
        "k": (known, "ticketmaster_id", "matched"),
        "2": (artist_id("Icelander", "spotify", "2"), "same_name_other_ids", "review"),
        "3": (known, "ticketmaster_id", "matched"),
        "4": (known, "similar_name", "matched"),
    }
