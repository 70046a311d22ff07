"""Identity resolution of one run: from what its records mention to the ids that they get, by the registry."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from concert_etl.identity import Identity, Resolver
from concert_etl.references import Aliases, Ids, Mention, merged
from concert_etl.registry import Registry


@dataclass(frozen=True)
class Resolution:
    """What the artists and venues of a run are.

    :param ids: of references by their key
    :param aliases: names that mean an identity of another name
    :param matches: identities of the run's references that have a source id
    :param snapshot: number of the registry's snapshot that all this follows from
    """

    ids: Ids
    aliases: Aliases
    matches: list[Identity]
    snapshot: int


def resolve(found: Iterable[Mention], registry: Registry, run_id: str, until: int | None) -> Resolution:
    """Resolve what a run mentions, and tell the registry what is new.

    :param until: number of the snapshot that an earlier publication of the same run was made with
    """
    references = merged(found)
    known = registry.relevant(references.values())
    resolver = Resolver(known, registry.aliases(), snapshot=registry.number + 1, run_id=run_id)
    matches = resolver.resolve(reference for reference in references.values() if reference.source_id)
    registry.add(known, matches)
    aliases = registry.aliases(until)
    by_record = {identity.reference.record: identity.platform_id for identity in matches}
    ids = {}
    for key, reference in references.items():
        default = reference.default_id
        ids[key] = by_record.get(reference.record) or aliases.get((reference.entity, default), default)
    return Resolution(ids, aliases, matches, registry.number if until is None else until)


def match_rows(resolution: Resolution, run_id: str) -> list[tuple[Any, ...]]:
    """Rows of the dataset identity_match."""
    return [
        (item.reference.entity, item.reference.source, item.reference.source_id, item.reference.name, item.matched_id,
         item.matched_name, item.rule, item.score, item.status, run_id)
        for item in resolution.matches
    ]  # fmt: skip
