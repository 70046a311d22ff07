"""The chatbot: POST /chat for signed-in users, and the maintenance that EventBridge asks for."""

from __future__ import annotations

import os
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import store
from answers import Event, RequestError, Response, answer, health, read_json, respond
from metrics import emit
from replies import reply_to

LONGEST_MESSAGE = 1000  # characters, as in the request model of the API


def chat(event: Event) -> Response:
    """Answer a message and keep both in the session, a new one when the caller names none."""
    user_id = _user(event)
    body, now = read_json(event), datetime.now(UTC)
    message, session_id = _text(body.get("message")), _uuid(body.get("session_id", str(uuid.uuid4())))
    reply = reply_to(message, store.preferences(user_id))
    try:
        store.add_exchange(user_id, session_id, message, reply.text, now)
    except store.ForeignSessionError as error:
        raise RequestError(404, "not_found", f"there is no session {session_id}") from error
    except store.BusySessionError as error:
        raise RequestError(409, "conflict", "another message of the session is on its way: send it again") from error
    if reply.remembered:
        store.remember(user_id, *reply.remembered, now)
    if reply.forgotten:
        store.forget(user_id, reply.forgotten)
    return respond(event, 200, {"session_id": session_id, "reply": reply.text})


def _user(event: Event) -> str:
    """Who the authorizer says it is; a call that went past the API has nobody."""
    claims = ((event.get("requestContext") or {}).get("authorizer") or {}).get("claims") or {}
    if not claims.get("sub"):
        raise RequestError(401, "unauthorized", "sign in first")
    return str(claims["sub"])


def _text(message: Any) -> str:
    if not isinstance(message, str) or not 1 <= len(message.strip()) <= len(message) <= LONGEST_MESSAGE:
        raise RequestError(400, "bad_request", f"message is not a text of 1 to {LONGEST_MESSAGE} characters")
    try:
        message.encode()
    except UnicodeEncodeError as error:
        # JSON can name half of a character; no table takes it.
        raise RequestError(400, "bad_request", "message has half of a surrogate pair") from error
    return message


def _uuid(value: Any) -> str:
    try:
        return str(uuid.UUID(value))
    except (AttributeError, TypeError, ValueError) as error:
        raise RequestError(400, "bad_request", "session_id is not a UUID") from error


def close_idle_sessions() -> dict[str, int]:
    idle = timedelta(minutes=int(os.environ["SESSION_IDLE_MINUTES"]))
    return {"ClosedSessions": store.close_idle_sessions(datetime.now(UTC), idle)}


def report_sessions() -> dict[str, int]:
    return {"OpenSessions": store.count_open_sessions()}


ROUTES = {("GET", "/health"): health, ("GET", "/chat"): health, ("POST", "/chat"): chat}
MAINTENANCE = {"close-idle-sessions": close_idle_sessions, "report-sessions": report_sessions}


def handler(event: Event, _context: object) -> dict[str, Any]:
    if "maintenance" not in event:
        return answer(event, ROUTES)
    # A KeyError or a failed call goes through, so that Lambda tries again and then keeps the event.
    counts = MAINTENANCE[event["maintenance"]]()
    emit(**counts)
    return counts
