"""Command line of the replay server: ``python -m local.replay --port N --samples DIR --state-dir DIR``."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import threading
from pathlib import Path

from local.replay.payloads import PayloadError
from local.replay.server import HOST, ReplayServer

KEY_VARIABLE = "REPLAY_KEY"  # of Ticketmaster and setlist.fm
CLIENT_VARIABLE = "REPLAY_SPOTIFY_CLIENT"  # id:secret
DEFAULT_KEY = "local-sample-key"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m local.replay", description="Answer as the source APIs do")
    parser.add_argument("--port", type=int, required=True, help="0 takes a free one")
    parser.add_argument("--samples", type=Path, default=Path("samples"), help="folder that holds api_payloads/")
    parser.add_argument("--state-dir", type=Path, required=True, help="folder of faults.json")
    options = parser.parse_args(arguments)
    key = os.environ.get(KEY_VARIABLE, DEFAULT_KEY)
    client_id, _, client_secret = os.environ.get(CLIENT_VARIABLE, f"{key}:{key}").partition(":")
    try:
        server = ReplayServer(
            port=options.port, samples=options.samples, state_dir=options.state_dir, key=key,
            client=(client_id, client_secret), paced=True,
        )  # fmt: skip
    except PayloadError as error:
        print(f"replay server: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"replay server: port {options.port} of {HOST} cannot be used ({error.strerror})", file=sys.stderr)
        return 1
    # shutdown() waits for serve_forever(), which this very thread runs.
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"replay server: http://{HOST}:{server.server_port}", flush=True)
    with server:
        server.serve_forever(poll_interval=0.2)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
