"""Whether a new model replaces the one in service: the one home of margin and bounds. Pure: figures in, decision out.

A challenger is promoted only if it is better than the baseline, better than the champion on the same holdout by a
margin, and no segment gets worse than a bound. Both are shares of the champion's figure. A segment too small to say
anything is named and left out. Without a champion the baseline alone is to be beaten. A champion that can be served but
not judged stays.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

MARGIN = 0.01  # of the champion's figure: less is what another seed or one more week of data moves
BOUND = 0.05  # of the champion's figure in a segment


@dataclass(frozen=True)
class Rule:
    """What decides for one kind of model.

    :param metric: the figure of the whole holdout that decides, also the baseline's
    :param fewest: cases that a segment needs to be judged, so that its chance stays near the bound
    """

    metric: str
    higher_is_better: bool
    fewest: int
    margin: float = MARGIN
    bound: float = BOUND

    def worse_by(self, challenger: float, champion: float) -> float:
        """By which share of the champion's figure the challenger is worse; below 0 it is better."""
        difference = champion - challenger if self.higher_is_better else challenger - champion
        return difference / abs(champion) if champion else math.copysign(math.inf, difference) if difference else 0.0


SALES = Rule("wape", higher_is_better=False, fewest=100)
# A recall of few per cent needs a thousand pairs for its chance to be below a quarter of it.
RECOMMENDER = Rule("ndcg_at_10", higher_is_better=True, fewest=300)
VENUES = Rule("attendance_mae", higher_is_better=False, fewest=10)


@dataclass(frozen=True)
class Segment:
    """A part of the holdout whose users must not pay for the gain of the others.

    :param count: cases in it: reports, users, pairs or venues
    :param value: its figure, in the direction of the rule's metric
    """

    metric: str
    count: int
    value: float


@dataclass(frozen=True)
class Judgement:
    """Figures of one model on the holdout."""

    metrics: Mapping[str, float]
    segments: Mapping[str, Segment]

    def as_dict(self, rule: Rule) -> dict[str, Any]:
        """As evaluation.json holds it; ``judged`` says whether a segment is large enough."""
        return {
            "metrics": dict(self.metrics),
            "segments": {
                name: {**asdict(segment), "judged": segment.count >= rule.fewest}
                for name, segment in self.segments.items()
            },
        }


@dataclass(frozen=True)
class Decision:
    promote: bool
    reason: str
    margin: float
    bound: float


@dataclass(frozen=True)
class Absence:
    """Why there is no champion to compare with.

    :param served: it goes on being served, and only cannot be judged: nothing replaces it
    """

    reason: str = "no champion yet"
    served: bool = False


def keep(rule: Rule, reason: str) -> Decision:
    """Nothing is promoted, for a reason outside the figures."""
    return Decision(False, reason, rule.margin, rule.bound)


def decide(
    rule: Rule,
    challenger: Judgement,
    baseline: float,
    champion: Judgement | None,
    absent: Absence = Absence(),
) -> Decision:
    """Promote the challenger or keep what is in service.

    :param baseline: the baseline's figure of the rule's metric
    :param champion: figures of the model in service on the same holdout; none when there is none to compare with
    :param absent: why there is no champion
    """

    def answer(promote: bool, reason: str) -> Decision:
        return Decision(promote, reason, rule.margin, rule.bound)

    own = challenger.metrics.get(rule.metric, math.nan)
    ahead = -rule.worse_by(own, baseline)
    if champion is None and absent.served:
        return answer(False, absent.reason)
    alone = "" if champion else f"{absent.reason}; "
    if not ahead > 0:  # not a number is not better
        return answer(False, f"{alone}{rule.metric} {own:.4f} is not better than the baseline's {baseline:.4f}")
    if champion is None:
        return answer(True, f"{alone}{rule.metric} {own:.4f} beats the baseline's {baseline:.4f}")
    held = champion.metrics[rule.metric]
    gain = -rule.worse_by(own, held)
    compared = f"{rule.metric} {own:.4f} against the champion's {held:.4f}"
    if not gain >= rule.margin:
        return answer(False, f"{compared}: {gain:+.2%} is below the margin of {rule.margin:.0%}")
    worse, small = _segments(rule, challenger, champion)
    if worse:
        return answer(False, f"{compared}: {gain:+.2%}, but {'; '.join(worse)}, beyond the bound of {rule.bound:.0%}")
    said = f"; too small to judge: {', '.join(small)}" if small else ""
    return answer(True, f"{compared}: {gain:+.2%}, no segment worse than the bound of {rule.bound:.0%}{said}")


def _segments(rule: Rule, challenger: Judgement, champion: Judgement) -> tuple[list[str], list[str]]:
    """Segments beyond the bound, in words, and those too small to judge."""
    worse, small = [], []
    for name, held in champion.segments.items():
        own = challenger.segments.get(name)
        if own is None or min(own.count, held.count) < rule.fewest:
            small.append(f"{name} ({held.count})")
            continue
        share = rule.worse_by(own.value, held.value)
        if not share <= rule.bound:
            worse.append(f"{name} {own.value:.4f} against {held.value:.4f} is worse by {share:.1%}")
    return worse, small
