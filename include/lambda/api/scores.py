"""What the nightly run has published, through the services of ml/: recommendations, forecasts, venue analyses.

Each request reads one publication: it has a store of its own, all with one client.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from answers import Event, RequestError, Response, logger, path_parameter, query_parameter, respond
from botocore.exceptions import BotoCoreError, ClientError
from clients import client

from ml.published import NothingPublishedError, UnreadableScoresError
from ml.recommender.service import ALGORITHMS, MOST, RecommendationService
from ml.recommender.store import PublicationError
from ml.recommender.table import DynamoStore as RecommendationTable
from ml.sales.service import (
    TicketSalesPredictionService,
    UnknownConcertError,
    UnreadableForecastError,
    published_forecasts,
)
from ml.venues.service import UnknownVenueError, VenuePopularityService, published_analyses

DEFAULT_LIMIT = 10
UNREADABLE = (BotoCoreError, ClientError, PublicationError, UnreadableForecastError, UnreadableScoresError)


def recommendations(event: Event) -> Response:
    """Artists for a user, best first; a user without a published list gets what is popular, at the place first."""
    user_id, limit = path_parameter(event, "user_id"), _limit(query_parameter(event, "limit"))
    algorithm, place = query_parameter(event, "algorithm") or ALGORITHMS[0], query_parameter(event, "place")
    if algorithm not in ALGORITHMS:
        raise RequestError(400, "bad_request", f"algorithm is none of {', '.join(ALGORITHMS)}")
    with _publication():
        service = RecommendationService(_store(RecommendationTable))
        found = service.get_recommendations(user_id, limit, algorithm=algorithm, place=place)
    listed = [asdict(one) for one in found]
    return respond(event, 200, {"user_id": user_id, "algorithm": algorithm, "recommendations": listed})


def forecast(event: Event) -> Response:
    """How many tickets a concert will sell."""
    concert_id = path_parameter(event, "concert_id")
    with _publication():
        found = TicketSalesPredictionService(_store(published_forecasts)).predict_sales(concert_id)
    return respond(event, 200, asdict(found))


def analysis(event: Event) -> Response:
    """How a venue performs."""
    venue_id = path_parameter(event, "venue_id")
    with _publication():
        found = VenuePopularityService(_store(published_analyses)).analyze_venue(venue_id)
    return respond(event, 200, found)


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    # int() takes more than digits, and refuses thousands of them by another error.
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST):
        raise RequestError(400, "bad_request", f"limit is not a whole number from 1 to {MOST}")
    return int(text)


def _store(table: Callable[[str, Any], Any]) -> Any:
    return table(os.environ["MODEL_SCORE_TABLE"], client("dynamodb"))


@contextmanager
def _publication() -> Iterator[None]:
    """Answers for what a service raises; the log has what the caller has no use for.

    :raises RequestError: 404 for a subject of which nothing is published, 503 when the scores cannot be read
    """
    try:
        yield
    except (UnknownConcertError, UnknownVenueError) as error:
        raise RequestError(404, "not_found", str(error)) from error
    except NothingPublishedError as error:
        logger.warning("%s", error)
        raise RequestError(503, "unavailable", "nothing is published yet: ask again after the nightly run") from error
    except UNREADABLE as error:
        logger.exception("the scores cannot be read")
        raise RequestError(503, "unavailable", "the scores cannot be read now: ask again later") from error
