"""Identity resolution: which artist or venue of the platform a source's record is.

Rules, the first that holds:

    musicbrainz_id, spotify_id, ticketmaster_id, ticketmaster_number
                            another record has the same external id; score 1
    same_name               an artist of the same normalised name; score 1
    same_name_other_ids     ... whose external ids say that it is another artist: review
    same_name_and_place     a venue of the same normalised name, city and country; score 1
    similar_name, similar_name_and_place
                            matched from MATCHED on, review from REVIEW on; review also when the source itself has a
                            record of that identity under another name: it tells the two apart by their ids
    first_seen              nobody else: the record gives the identity its name and id

A record under review is not joined: it is an identity of its own. What was assigned once stays, and the order of the
records decides nothing: they are taken by source and id. Pure Python on what one run brings and on those known
identities that could be meant; registry.py keeps them, references.py takes them from Spark frames and back.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from difflib import SequenceMatcher

from concert_etl.names import artist_id, comparable, normalise, venue_id

ARTIST, VENUE = "artist", "venue"
MATCHED_STATUS, REVIEW_STATUS = "matched", "review"
# Names that differ in more than accents and articles are different artists until somebody has looked.
MATCHED = {ARTIST: 0.99, VENUE: 0.92}
REVIEW = {ARTIST: 0.85, VENUE: 0.75}
NAMESAKE_SCORE = 0.5
RESPELT = 0.82  # of two words: center and centre (0.83), not est and ouest (0.75)
TELLING = re.compile(r"\d|^[ivx]+$")  # numbers are more alike than that and say different things
# Of these an artist has one: two different ones are two artists.
TELLING_KEYS = ("musicbrainz", "spotify")
KEY_ORDER = ("musicbrainz", "spotify", "ticketmaster", "ticketmaster_number")
BLOCK_LENGTH = 4  # characters that similar artists' names have in common


@dataclass(frozen=True)
class Reference:
    """An artist or venue as a source names it.

    :param source_id: None where a source gives nothing but a name
    :param keys: external ids, such as ``musicbrainz:<id>``
    """

    entity: str
    source: str
    source_id: str | None
    name: str
    city: str | None = None
    country: str | None = None
    keys: tuple[str, ...] = ()

    @property
    def record(self) -> tuple[str, str, str | None]:
        return self.entity, self.source, self.source_id

    @property
    def default_id(self) -> str:
        """The id that the name alone gives."""
        if self.entity == ARTIST:
            return artist_id(self.name)
        return venue_id(self.name, self.city, self.country)

    @property
    def block(self) -> str:
        """What names must share to be compared at all; empty when they never are."""
        if self.entity == ARTIST:
            return comparable(self.name).replace(" ", "")[:BLOCK_LENGTH]
        return f"{normalise(self.country) or ''}|{comparable(self.city)}" if self.city else ""

    @property
    def tokens(self) -> list[str]:
        """What finds the record among all that are known."""
        found = {
            f"record {self.source} {self.source_id}",
            f"id {self.default_id}",
            *(f"key {key}" for key in self.keys),
        }
        if self.block:
            found.add(f"block {self.block}")
        return sorted(f"{self.entity} {token}" for token in found)


@dataclass(frozen=True)
class Identity:
    """A reference with the platform's id that it has for good.

    :param platform_id: artist_id or venue_id
    :param is_alias: whether its name, wherever it comes without an id, means platform_id
    :param snapshot: number of the registry's snapshot that it came with
    """

    reference: Reference
    platform_id: str
    rule: str
    score: float
    status: str
    matched_id: str
    matched_name: str
    is_alias: bool
    snapshot: int
    run_id: str

    @property
    def tokens(self) -> list[str]:
        return sorted({*self.reference.tokens, f"{self.reference.entity} id {self.platform_id}"})


class Resolver:
    """Assigns ids to references, given the identities that are known.

    :param known: at least those that share a token with a reference
    :param aliases: (entity, id of a name) -> platform id
    :param snapshot: number of the snapshot that new identities will come with
    """

    def __init__(
        self, known: Iterable[Identity], aliases: dict[tuple[str, str], str], *, snapshot: int, run_id: str
    ) -> None:
        self._by_record: dict[tuple[str, str, str | None], Identity] = {}
        self._by_key: dict[tuple[str, str], Identity] = {}
        self._by_id: dict[tuple[str, str], list[Identity]] = defaultdict(list)
        self._by_block: dict[tuple[str, str], list[Identity]] = defaultdict(list)
        self._aliases = dict(aliases)
        self._snapshot, self._run_id = snapshot, run_id
        for identity in sorted(known, key=lambda found: (found.snapshot, *map(str, found.reference.record))):
            self._add(identity)

    def resolve(self, references: Iterable[Reference]) -> list[Identity]:
        """Identity of each reference that has a source id, known ones included, in the order of their records."""
        found = []
        for reference in sorted(references, key=lambda item: tuple(map(str, item.record))):
            known = self._by_record.get(reference.record)
            identity = self._with_keys(known, reference) if known else self._assign(reference)
            self._add(identity)
            found.append(identity)
        return found

    def by_name(self, reference: Reference) -> str:
        """Platform id of a name that comes without an id."""
        default = reference.default_id
        return self._aliases.get((reference.entity, default), default)

    def _add(self, identity: Identity) -> None:
        entity = identity.reference.entity
        self._by_record[identity.reference.record] = identity
        self._by_id[entity, identity.platform_id].append(identity)
        for key in identity.reference.keys:
            self._by_key.setdefault((entity, key), identity)
        if identity.reference.block:
            self._by_block[entity, identity.reference.block].append(identity)
        if identity.is_alias:
            self._aliases.setdefault((entity, identity.reference.default_id), identity.platform_id)

    def _with_keys(self, known: Identity, reference: Reference) -> Identity:
        """A known identity, with external ids that were not known of it."""
        keys = tuple(sorted({*known.reference.keys, *reference.keys}))
        return replace(known, reference=replace(known.reference, keys=keys))

    def _assign(self, reference: Reference) -> Identity:
        for kind in KEY_ORDER:
            for key in reference.keys:
                if key.startswith(f"{kind}:") and (match := self._by_key.get((reference.entity, key))):
                    return self._join(reference, match, f"{kind}_id" if "_" not in kind else kind, 1.0)
        default = self.by_name(reference)
        if same := self._by_id.get((reference.entity, default)):
            if self._is_other(reference, default):
                return self._namesake(reference, same[0])
            return self._join(reference, same[0], "same_name" + _place(reference), 1.0)
        return self._similar(reference) or self._new(reference, reference.default_id, "first_seen", 1.0)

    def _similar(self, reference: Reference) -> Identity | None:
        best, score = None, 0.0
        for candidate in self._by_block.get((reference.entity, reference.block), []) if reference.block else []:
            found = similarity(reference.name, candidate.reference.name)
            if found > score and not self._is_other(reference, candidate.platform_id):
                best, score = candidate, found
        rule = "similar_name" + _place(reference)
        if best is None or score < REVIEW[reference.entity]:
            return None
        if score >= MATCHED[reference.entity] and not self._is_told_apart(reference, best.platform_id):
            return self._join(reference, best, rule, score)
        return self._new(reference, reference.default_id, rule, score, best)

    def _is_other(self, reference: Reference, platform_id: str) -> bool:
        """Whether external ids say that a reference is not the bearer of a platform id."""
        bearers = self._by_id[reference.entity, platform_id]
        known = {key for bearer in bearers for key in bearer.reference.keys}
        for kind in TELLING_KEYS:
            own, others = ({key for key in keys if key.startswith(f"{kind}:")} for keys in (reference.keys, known))
            if own and others:
                return not own & others
        return False

    def _is_told_apart(self, reference: Reference, platform_id: str) -> bool:
        """Whether the source of a reference has another name, under another id, for the bearer of a platform id."""
        return any(
            bearer.reference.source == reference.source
            and normalise(bearer.reference.name) != normalise(reference.name)
            for bearer in self._by_id[reference.entity, platform_id]
        )

    def _namesake(self, reference: Reference, other: Identity) -> Identity:
        salted = artist_id(reference.name, reference.source, str(reference.source_id))
        return self._new(reference, salted, "same_name_other_ids", NAMESAKE_SCORE, other)

    def _join(self, reference: Reference, match: Identity, rule: str, score: float) -> Identity:
        default = reference.default_id
        is_alias = (
            default != match.platform_id
            and (reference.entity, default) not in self._by_id
            and (reference.entity, default) not in self._aliases
        )
        return Identity(
            reference, match.platform_id, rule, score, MATCHED_STATUS, match.platform_id, match.reference.name,
            is_alias, self._snapshot, self._run_id,
        )  # fmt: skip

    def _new(
        self, reference: Reference, platform_id: str, rule: str, score: float, doubtful: Identity | None = None
    ) -> Identity:
        status = REVIEW_STATUS if doubtful else MATCHED_STATUS
        matched_id, name = (
            (doubtful.platform_id, doubtful.reference.name) if doubtful else (platform_id, reference.name)
        )
        return Identity(
            reference, platform_id, rule, score, status, matched_id, name, False, self._snapshot, self._run_id
        )


def similarity(left: str, right: str) -> float:
    """How alike two names are, from 0 to 1; below 1 when they are not the same but for case and signs.

    >>> similarity("Beyoncé", "BEYONCE"), similarity("Stage 1", "Stage 2") < 0.9
    (0.99, True)
    """
    if normalise(left) == normalise(right):
        return 1.0
    first, second = (" ".join(sorted(comparable(name).split())) for name in (left, right))
    return min(_ratio(first, second), 0.99 if _is_respelt(comparable(left), comparable(right)) else 0.89)


def _ratio(left: str, right: str) -> float:
    return round(SequenceMatcher(None, *sorted((left, right)), autojunk=False).ratio(), 4)


def _is_respelt(left: str, right: str) -> bool:
    """Whether two names differ in the spelling of their words only, not in what these say.

    However long the rest of a name is, a word more or another word may be another hall: West Hall is not South Hall,
    Academy II not Academy III, and a club is not its bar.

    >>> _is_respelt("helen hayes theatre", "helen hayes theater"), _is_respelt("harbour hall", "harbor hall")
    (True, True)
    >>> _is_respelt("salle est", "salle ouest"), _is_respelt("studio vii", "studio viii"), _is_respelt("club", "club b")
    (False, False, False)
    """
    first, second = left.split(), right.split()
    own, others = ([*(Counter(one) - Counter(other)).elements()] for one, other in ((first, second), (second, first)))
    if len(own) != len(others) or any(TELLING.search(word) for word in own + others):
        return False
    # A spelling leaves the first letter as it is, other than east and west in any language and compound.
    return all(word[0] == other[0] and _ratio(word, other) >= RESPELT for word, other in zip(own, others, strict=True))


def _place(reference: Reference) -> str:
    return "_and_place" if reference.entity == VENUE else ""
