"""Figures as Markdown tables: the generated blocks of docs/models.md.

A block stands between `<!-- figures: NAME -->` and `<!-- end of figures -->`; it holds what does not depend on the
machine, so that a second run changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

BLOCK = re.compile(r"(<!-- figures: ([a-z-]+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
NAIVE = {
    "last_utilisation": "last utilisation x capacity x performances",
    "act_mean": "act's mean of 13 weeks",
    "last_year_utilisation": "utilisation a year ago",
    "last_value": "last value",
    "venue_mean": "venue's mean of 13 weeks",
    "market_mean": "market's mean of a year",
    "capacity": "capacity",
}
MODELS = {
    "popularity": "popularity",
    "item_knn": "item kNN (cosine, all neighbours)",
    "ease": "EASE (0/1, ridge 100)",
    "content": "tags alone (`content`)",
    "collaborative": "`collaborative`",
    "hybrid_friends_only": "and friends",
    "hybrid_tags_only": "and tags",
    "hybrid": "and both (`hybrid`)",
}


class MissingBlockError(ValueError):
    """A document lacks the place of a block."""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(head)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def blocks(figures: dict[str, Any]) -> dict[str, str]:
    """Text of each block of which the figures are measured."""
    makers = {"sales": sales, "recommender": recommender, "venues": venues}
    made: dict[str, str] = {}
    for part, maker in makers.items():
        if part in figures:
            made |= maker(figures[part])
    return made


def sales(found: dict[str, Any]) -> dict[str, str]:
    errors = {"model": found["model"], **{NAIVE[name]: found["naive"][name] for name in NAIVE}}
    ordered = sorted(errors.items(), key=lambda item: item[1]["wape"])
    rows = [(name, f"{one['wape']:.2%}".replace("%", " %"), f"{one['utilisation_r2']:.3f}") for name, one in ordered]
    model = found["model"]
    text = table(("forecast", "WAPE", "R2 of utilisation"), rows)
    text += (
        f"\n{found['counted']:,} of {found['rows']:,} reports judged, {found['weekly_origins']} weekly cut-offs. The"
        f" 80 % interval holds {100 * model['interval_80_coverage']:.1f} % of outcomes and is"
        f" {100 * model['interval_80_width']:.1f} % of capacity wide on average.\n"
    )
    known = [
        (name, f"{row['reports']:,}", f"{100 * row['wape']:.2f} %", f"{100 * row['interval_80_coverage']:.1f} %",
         f"{100 * row['interval_80_width']:.1f} %")
        for name, row in found["by_reports_known"].items()
    ]  # fmt: skip
    head = ("reports of the act known", "reports", "WAPE", "80 % interval holds", "width, of capacity")
    return {"sales": text, "sales-cold-start": table(head, known)}


def recommender(found: dict[str, Any]) -> dict[str, str]:
    seeds = ", ".join(map(str, found["seeds"]))
    rows = [
        (
            label,
            f"{found['mean'][name]['ndcg_at_10']:.4f}",
            ", ".join(f"{split['models'][name]['ndcg_at_10']:.4f}" for split in found["splits"]),
        )
        for name, label in MODELS.items()
        if name in found["mean"]
    ]
    text = table((f"NDCG@10, seeds {seeds}", "mean", "by seed"), rows)
    beside = [
        (
            label,
            f"{found['mean'][name]['recall_at_10']:.3f}",
            f"{found['mean'][name]['catalogue_coverage']:.3f}",
            f"{found['mean'][name]['novelty_bits']:.1f}",
        )
        for name, label in MODELS.items()
        if name in ("popularity", "item_knn", "ease", "hybrid")
    ]
    text += "\n" + table(("mean of the seeds", "Recall@10", "catalogue coverage", "novelty, bits"), beside)
    first, cold = found["splits"][0], found["cold_start_users"]
    whole = {"hybrid": first["models"]["hybrid"], "popularity": first["models"]["popularity"]}
    users = [
        (name, *(f"{row[name]:.3f}" for row in cold.values()), f"{whole[name]['ndcg_at_10']:.3f}") for name in whole
    ]
    start = table((f"seed {first['seed']}, NDCG@10 of users with train pairs:", *cold, "all"), users)
    artists = first["recall_by_artist_listeners"]
    start += "\n" + table(
        (f"seed {first['seed']}: artists by listeners in train", *artists),
        [
            ("test pairs", *(f"{row['pairs']:,}" for row in artists.values())),
            ("Recall@10", *(f"{row['recall_at_10']:.3f}" for row in artists.values())),
        ],
    )
    return {"recommender": text, "recommender-cold-start": start}


def venues(found: dict[str, Any]) -> dict[str, str]:
    rows = [
        (known, *(f"{row[name]:.3f}" for name in ("shrunk", "plain_mean", "mean_of_all")),
         f"{100 * row['interval_80_coverage']:.0f} %")
        for known, row in found["by_known_engagements"].items()
    ]  # fmt: skip
    head = (
        "known engagements",
        "error, shrunk",
        "error, plain mean",
        "error, mean of all venues",
        "80 % interval holds",
    )
    return {"venues": table(head, rows)}


def written_into(text: str, made: dict[str, str]) -> str:
    """The document with its blocks replaced; those of parts that were not measured stay.

    :raises MissingBlockError: when a measured block has no place in it
    """
    places = {match[2] for match in BLOCK.finditer(text)}
    if missing := sorted(set(made) - places):
        raise MissingBlockError(f"no place for the figures {', '.join(missing)}: add `<!-- figures: NAME -->`")
    return BLOCK.sub(
        lambda match: match[1] + made.get(match[2], match[0][len(match[1]) : -len(match[3])]) + match[3], text
    )


def update(document: Path, made: dict[str, str]) -> bool:
    """Write the blocks into a document; says whether anything changed."""
    before = document.read_text(encoding="utf-8")
    after = written_into(before, made)
    if after != before:
        document.write_text(after, encoding="utf-8")
    return after != before
