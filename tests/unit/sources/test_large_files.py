"""A dropped file is streamed: what an import takes of memory does not grow with the file."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.unit.sources.conftest import SAMPLES

HEADER = b"show,theatre,week_ending,performances,previews,seats_in_theatre,tickets_sold,gross_usd\n"
ROWS = 2_000
BLOCK = (
    b"Cats" * 120 + b",Winter Garden Theatre,1990-01-07,8,0,1482,9000,300000\n"
) * ROWS  # about 1 MB, few rows: counting them is not the point
SIZES = {"small": 4, "large": 64}  # blocks
# A process of its own: its peak is that of this import alone. Prints records and peak in KB after each file.
PROGRAM = """
import json, resource, sys
import boto3
from concert_platform.settings import Settings
from concert_platform.sources import delivery, files
from concert_platform.sources.run import IngestRun
from tests.unit.sources.memory import MemoryState

delivery.settings = files.settings = lambda: Settings("development", "000000000000", "us-east-1")
s3 = boto3.client("s3", endpoint_url=sys.argv[1], region_name="us-east-1",
                  aws_access_key_id="a", aws_secret_access_key="b")
made = delivery.Delivery(IngestRun("2020-03-04", "run"), "broadway_weekly_grosses", "box_office", s3=s3,
                         state=MemoryState())
layout = files.mapping_layouts()["broadway_weekly_grosses"]
for name in ("small", "large"):
    files.deliver(made, files.DroppedFile(f"landing/{name}.csv", "etag", "", f"{name}.csv"), layout, None)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(json.dumps([made.manifest.files[-1].records, made.manifest.files[-1].bytes, peak]))
"""


class Bucket(BaseHTTPRequestHandler):
    """S3 as far as the import asks it, over a real socket: gives files made of blocks, and counts what it is given."""

    protocol_version = "HTTP/1.1"
    received: ClassVar[dict[str, int]] = {}

    def do_GET(self) -> None:
        blocks = next(size for name, size in SIZES.items() if f"/{name}.csv" in self.path)
        self.send_response(200)
        self.send_header("Content-Length", str(len(HEADER) + blocks * len(BLOCK)))
        self.send_header("ETag", '"etag"')
        self.end_headers()
        self.wfile.write(HEADER)
        for _ in range(blocks):
            self.wfile.write(BLOCK)

    def do_PUT(self) -> None:
        if self.headers.get("Expect") == "100-continue":
            self.send_response_only(100)
            self.end_headers()
        left = int(self.headers["Content-Length"])
        self.received[self.path.rpartition("/")[2]] = left
        while left:
            left -= len(self.rfile.read(min(left, 2**20)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Bucket)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_sixteen_times_as_large_takes_no_more_memory(bucket: ThreadingHTTPServer) -> None:
    command = [sys.executable, "-c", PROGRAM, f"http://127.0.0.1:{bucket.server_port}"]
    done = subprocess.run(command, cwd=SAMPLES.parent, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    (few, _, before), (many, size, after) = map(json.loads, done.stdout.splitlines())
    assert (few, many) == tuple(ROWS * blocks for blocks in SIZES.values())
    assert Bucket.received["large.csv"] == size > 60_000_000
    assert (after - before) * 1024 < size / 4
