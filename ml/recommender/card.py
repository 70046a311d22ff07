"""The model card: what a model was made from, how good it is, and what it cannot do. Made from metrics.json alone."""

from __future__ import annotations

from typing import Any


def card(report: dict[str, Any]) -> str:
    rows, reached, baseline = report["rows"], report["metrics"], report["baseline"]
    lines = [
        f"# Recommender {report['version']}",
        "",
        f"Data: {rows['interactions']:,} interactions of {rows['users']:,} users with {rows['items']:,} artists,"
        f" {rows['tag_rows']:,} tag rows, {rows['friend_rows']:,} friendships;"
        f" through {report['data_through'] or 'a day that was not stated'}.",
        f"Split: per user at random, {rows['train']:,} train, {rows['validation']:,} validation,"
        f" {rows['test']:,} test pairs, seed {report['seed']}. The kept model is fitted on all of them.",
        "",
        "| figure | model | popularity |",
        "| --- | --- | --- |",
        *(f"| {name} | {value:.4f} | {baseline[name]:.4f} |" for name, value in reached.items()),
        "",
        "| users by train interactions | users | NDCG@10 |",
        "| --- | --- | --- |",
        *(
            f"| {label} | {row['users']} | {row['ndcg_at_10']:.4f} |"
            for label, row in report["segments"]["users_by_history"].items()
        ),
        "",
        "| artists by listeners in train | test pairs | Recall@10 |",
        "| --- | --- | --- |",
        *(
            f"| {label} | {row['pairs']} | {row['recall_at_10']:.4f} |"
            for label, row in report["segments"]["artists_by_listeners"].items()
        ),
        "",
        "Limits: an artist without a listener is not recommended; scores compare within one user only; the held-out"
        " pairs are random, not the latest, since interactions carry no time; a user without interactions gets"
        " popularity.",
        "",
        f"Settings: {', '.join(f'{name} {value}' for name, value in report['options'].items())}.",
        "",
    ]
    return "\n".join(lines)
