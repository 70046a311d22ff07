"""A night as retrain_models has it: three training jobs at once, then scoring, then the services' answers."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ml.box_office import reports
from ml.recommender import predict as recommender_scores
from ml.recommender.service import RecommendationService
from ml.recommender.store import read_files as read_recommendations
from ml.report.measure import BOX_OFFICE, box_office
from ml.sales import backtest
from ml.sales import predict as sales_scores
from ml.sales.service import MemoryStore, TicketSalesPredictionService
from ml.venues import predict as venue_scores
from ml.venues.service import VenuePopularityService
from ml.venues.service import read_files as read_analyses

ROOT = Path(__file__).parents[2]
NAMES = ("sales", "recommender", "venues")
LIMITS = {"get_recommendations": 0.010, "predict_sales": 0.010, "analyze_venue": 0.020}  # seconds at p99
TRAINING_LIMIT = 180  # seconds
ASKED = 2_000  # answers that a latency is taken from
UPCOMING = 40  # events


def prepare(samples: Path, folder: Path) -> None:
    """History and upcoming events as the warehouse unloads them; of the sample the last reports stand for events."""
    accepted = reports.read_accepted(box_office(samples), BOX_OFFICE)
    named = backtest.identified(accepted).assign(show=accepted["show"], venue=accepted["venue"])
    upcoming = named.tail(UPCOMING).drop(columns=["tickets_sold", "gross"])
    upcoming = upcoming.assign(concert_id=upcoming["report_id"], capacity_basis="venue")
    for name, frame in (("history", named), ("upcoming", upcoming)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        frame.to_parquet(folder / name / "part.parquet")


def train(samples: Path, folder: Path, version: str, champion: str | None) -> dict[str, Any]:
    """Wall seconds of the three jobs at once, with CPU seconds, peak memory and decision of each."""
    side = samples / "lastfm"
    inputs: dict[str, list[object]] = {
        "sales": ["--history", folder / "history"],
        "recommender": [
            "--interactions", side / "interactions.tsv.gz", "--tags", side / "artist_tags.tsv.gz",
            "--friends", side / "friends.tsv.gz",
        ],
        "venues": ["--history", folder / "history"],
    }  # fmt: skip
    started = time.monotonic()
    jobs = {}
    for name in NAMES:
        output = folder / version / name
        command: list[object] = [sys.executable, "-m", f"ml.{name}.train", *inputs[name], "--version", version]
        command += ["--model-dir", output, "--output-data-dir", output]
        if champion:
            command += ["--champion", folder / champion / name]
        # As the local platform starts its jobs: a waiting thread leaves the core to the other jobs.
        environment = os.environ | {"OMP_WAIT_POLICY": "PASSIVE"}
        output.mkdir(parents=True, exist_ok=True)
        with (output / "job.log").open("w") as log:
            jobs[name] = subprocess.Popen([str(word) for word in command], cwd=ROOT, env=environment, stdout=log)
    ended = {name: os.wait4(job.pid, 0) for name, job in jobs.items()}
    seconds = time.monotonic() - started
    for name, job in jobs.items():
        job.returncode = os.waitstatus_to_exitcode(ended[name][1])  # so that nobody waits for it again
    found = {name: _outcome(name, *ended[name][1:], folder / version / name) for name in NAMES}
    return {"seconds": seconds, "limit_seconds": TRAINING_LIMIT, "jobs": found}


def _outcome(name: str, status: int, used: resource.struct_rusage, output: Path) -> dict[str, Any]:
    if status:
        raise RuntimeError(f"training of {name} failed: see {output / 'job.log'}")
    evaluation = json.loads((output / "evaluation.json").read_text())
    return {
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
        **{key: evaluation[key] for key in ("metrics", "baseline", "segments", "champion", "decision", "drift")},
    }


def score(samples: Path, folder: Path, version: str) -> dict[str, Any]:
    """Scores of the three models, as the services read them; CPU seconds of each."""
    stamps = ["--run-id", "report", "--as-of", "2018-06-03", "--model-uri", "s3://models/report/model.tar.gz"]
    took = {}
    for name in NAMES:
        model, output = folder / version / name, folder / version / f"{name}-scores"
        given: list[object] = ["--model", model, "--output", output, *stamps]
        if name == "recommender":
            given += ["--interactions", samples / "lastfm" / "interactions.tsv.gz"]
        else:
            given += ["--history", folder / "history"]
        spent = time.process_time()
        if name == "sales":
            _pack(model)
            sales_scores.main([str(word) for word in [*given, "--upcoming", folder / "upcoming"]])
        else:
            (recommender_scores if name == "recommender" else venue_scores).run([str(word) for word in given])
        took[name] = {"cpu_seconds": time.process_time() - spent}
    return took


def _pack(model: Path) -> None:
    import tarfile

    with tarfile.open(model / "model.tar.gz", "w:gz") as archive:
        for path in sorted(model.iterdir()):
            if path.name != "model.tar.gz":
                archive.add(path, arcname=path.name)


def latency(folder: Path, version: str) -> dict[str, dict[str, float]]:
    """Seconds that an answer takes, warm, in process: wall time, at p50 and p99, beside the limit."""
    scores = {name: folder / version / f"{name}-scores" for name in NAMES}
    lists = read_recommendations(scores["recommender"])
    forecasts = MemoryStore.read(scores["sales"] / "service" / "forecasts.json")
    concerts = pd.read_parquet(folder / "upcoming")["concert_id"].tolist()
    places = pd.read_parquet(folder / "history")["venue_id"].unique().tolist()
    took = {
        "get_recommendations": _timed(RecommendationService(lists).get_recommendations, list(lists.user_ids("hybrid"))),
        "predict_sales": _timed(TicketSalesPredictionService(forecasts).predict_sales, concerts),
        "analyze_venue": _timed(VenuePopularityService(read_analyses(scores["venues"])).analyze_venue, places),
    }
    return {name: {**row, "limit": LIMITS[name]} for name, row in took.items()}


def _timed(answer: Callable[[str], object], names: Iterable[str]) -> dict[str, float]:
    known = list(names)
    for name in known[:50]:
        answer(name)
    took = []
    for number in range(ASKED):
        name = known[number % len(known)]
        started = time.perf_counter()
        answer(name)
        took.append(time.perf_counter() - started)
    return {"answers": ASKED, "p50": float(np.quantile(took, 0.5)), "p99": float(np.quantile(took, 0.99))}
