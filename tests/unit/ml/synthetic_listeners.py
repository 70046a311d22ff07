"""Listeners with a taste: users of a group play the group's items, tag them with its name, and befriend each other."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write(folder: Path, *, users: int = 60, items: int = 40, groups: int = 4, plays: int = 12, seed: int = 3) -> None:
    """Write train.tsv, tags.tsv, friends.tsv and users.tsv."""
    random = np.random.default_rng(seed)
    interactions, tags, friends = ["user\titem\tweight"], ["user\titem\ttag"], ["user\tfriend"]
    for user in range(users):
        group = user % groups
        own = [item for item in range(items) if item % groups == group]
        other = [item for item in range(items) if item % groups != group]
        liked = [
            *random.choice(own, min(plays * 3 // 4, len(own)), replace=False),
            *random.choice(other, plays // 4, False),
        ]
        for item in liked:
            interactions.append(f"u{user}\ti{item}\t{random.integers(1, 500)}")
            if random.random() < 0.5:
                tags.append(f"u{user}\ti{item}\tgroup {item % groups}")
        friends.append(f"u{user}\tu{(user + groups) % users}")
    (folder / "train.tsv").write_text("\n".join(interactions) + "\n")
    (folder / "tags.tsv").write_text("\n".join(tags) + "\n")
    (folder / "friends.tsv").write_text("\n".join(friends) + "\n")
    (folder / "users.tsv").write_text("user\n" + "".join(f"u{user}\n" for user in range(users)))
