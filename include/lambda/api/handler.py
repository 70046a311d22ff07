"""The REST API behind API Gateway's proxy integration: one function, one route a path and method."""

from __future__ import annotations

import json
import os
import uuid
from datetime import UTC, datetime

from answers import Event, RequestError, Response, answer, health, read_json, respond
from botocore.exceptions import BotoCoreError, ClientError
from clients import client
from interactions import Interaction, InvalidInteractionError
from scores import analysis, forecast, recommendations

SOURCE = "api"  # whoever calls it: the warehouse tells by it through which producer an event came


def take_interaction(event: Event) -> Response:
    """Put an interaction on the stream; a caller that sends its event_id again is counted once."""
    now = datetime.now(UTC)
    defaults = {"event_id": str(uuid.uuid4()), "occurred_at": now.isoformat()}
    document = {**defaults, **read_json(event), "source": SOURCE}
    try:
        interaction = Interaction.parse(document, now)
    except InvalidInteractionError as error:
        raise RequestError(400, "bad_request", str(error)) from error
    try:
        client("kinesis").put_record(
            StreamName=os.environ["STREAM_NAME"],
            Data=json.dumps(interaction.to_document()).encode(),
            PartitionKey=interaction.user_id,  # the events of one user stay in order
        )
    except (BotoCoreError, ClientError) as error:
        raise RequestError(503, "unavailable", "the stream takes no records: send it again later") from error
    return respond(event, 202, {"event_id": interaction.event_id})


ROUTES = {
    ("GET", "/health"): health,
    ("POST", "/interactions"): take_interaction,
    ("GET", "/recommendations/{user_id}"): recommendations,
    ("GET", "/concerts/{concert_id}/forecast"): forecast,
    ("GET", "/venues/{venue_id}/analysis"): analysis,
}


def handler(event: Event, _context: object) -> Response:
    return answer(event, ROUTES)
