"""What the chatbot says. It knows its commands and what a user asked it to remember; nothing else, and says so."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

TOPICS = ("city", "artist", "genre")
LONGEST_VALUE = 100  # characters
REMEMBER = re.compile(rf"remember (?:my )?({'|'.join(TOPICS)})(?: is)? +(.+)", re.IGNORECASE | re.DOTALL)
FORGET = re.compile(rf"forget (?:my )?({'|'.join(TOPICS)})[.!]?", re.IGNORECASE)
SHOW = re.compile(r"what do you know( about me)?\??", re.IGNORECASE)
HELP = (
    "I cannot look up concerts yet. I can keep what you like: 'remember city Berlin', 'remember artist Björk', "
    "'remember genre jazz', 'forget city', 'what do you know about me'."
)


@dataclass(frozen=True)
class Reply:
    """An answer, and what it changes in the user's preferences."""

    text: str
    remembered: tuple[str, str] | None = None  # topic, value
    forgotten: str | None = None  # topic


def reply_to(message: str, preferences: Mapping[str, str]) -> Reply:
    message = message.strip()
    if found := REMEMBER.fullmatch(message):
        topic, value = found[1].lower(), " ".join(found[2].split())[:LONGEST_VALUE]
        return Reply(f"I keep {value} as your {topic}.", remembered=(topic, value))
    if found := FORGET.fullmatch(message):
        topic = found[1].lower()
        known = topic in preferences
        return Reply(f"Your {topic} is forgotten." if known else f"I know no {topic} of yours.", forgotten=topic)
    if SHOW.fullmatch(message):
        known_topics = ", ".join(f"{topic} {value}" for topic, value in sorted(preferences.items()))
        return Reply(f"I know: {known_topics}." if known_topics else "I know nothing about you yet.")
    return Reply(HELP)
