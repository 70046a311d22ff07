"""Take the sources' records into the raw bucket and tell curation which partitions are new.

By API: Ticketmaster events, and the attractions and venues that they name; of the watch list, Spotify artists and
setlist.fm artists, setlists and venues. From the drop zone (`landing/` of the raw bucket): box-office files and
interactions. What was delivered before is not delivered again. The source's own bytes are kept, beside a manifest.
What has changed of an event since the last fetch goes through the stream (docs/streaming.md).

When: every night at 02:00 UTC. Params: `as_of`, the day that decides what is upcoming (default: the day of the run).

What a failure means: the failed source's task ends in one line with the file, page or secret that is at fault. What the
other sources delivered is published all the same. An answer 429 or 5xx passes by itself, a spent budget or quota with
the day. A bad file stays in the drop zone: replace or remove it; the next run takes the new one. Clearing the failed
task is safe at any time. More: docs/sources.md.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, Param, chain, task

from concert_platform.assets import RAW_CONCERTS
from concert_platform.compat import TriggerRule
from concert_platform.dag_defaults import DEFAULT_ARGS, FILTERS, MACROS, cron_utc
from concert_platform.failure_alerts import alert_on_failure
from concert_platform.operators.require_stacks import RequireStacks

# After its predecessor, whatever became of that; a skipped run stays skipped.
AFTERWARDS = TriggerRule.NONE_SKIPPED


@task
def ingest_by_api(connector: str, **context: Any) -> dict[str, Any]:
    """Deliver what one connector of sources/connectors.py finds new; source, entity, files and records."""
    from concert_platform.sources.connectors import CONNECTORS
    from concert_platform.sources.run import ingest_run

    return CONNECTORS[connector](ingest_run(context))


@task
def announce_event_changes(**context: Any) -> dict[str, Any]:
    """Send what has changed of the events between two fetches through the stream."""
    from concert_platform.sources.changes import announce
    from concert_platform.sources.run import ingest_run

    return announce(ingest_run(context))


@task
def import_box_office_files(**context: Any) -> list[dict[str, Any]]:
    """Import the box-office files of the drop zone."""
    from concert_platform.sources.files import import_box_office
    from concert_platform.sources.run import ingest_run

    return import_box_office(ingest_run(context))


@task
def import_interaction_files(**context: Any) -> list[dict[str, Any]]:
    """Import the interaction files of the drop zone."""
    from concert_platform.sources.files import import_interactions
    from concert_platform.sources.run import ingest_run

    return import_interactions(ingest_run(context))


# Publishes whatever the sources have committed, also when one of them failed.
@task(outlets=[RAW_CONCERTS], trigger_rule=AFTERWARDS)
def publish_raw_concerts(**context: Any) -> list[list[Any]]:
    """Write the run indexes and send the asset event; [day, run id, revision] of each run."""
    from concert_platform.compat import AirflowSkipException
    from concert_platform.sources.publication import write_indexes
    from concert_platform.sources.run import ingest_run

    runs = write_indexes(ingest_run(context))
    if not runs:
        raise AirflowSkipException("no source has delivered anything: there is nothing to publish")
    context["outlet_events"][RAW_CONCERTS].extra = {"partitions": [list(entry.run) for entry in runs]}
    return [[*entry.run, entry.revision] for entry in runs]


@task
def confirm_publication(published: list[list[Any]]) -> None:
    """Note the runs as published, now that the asset event is out."""
    from concert_platform.sources.publication import confirm

    confirm(published)


def ingest(connector: str, **options: Any) -> Any:
    """The task of a connector."""
    return ingest_by_api.override(task_id=f"ingest_{connector}", **options)(connector)


with DAG(
    "ingest_concerts",
    schedule=cron_utc("0 2 * * *"),  # 02:00 UTC, an hour before the models are trained
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    on_failure_callback=alert_on_failure,
    user_defined_macros=MACROS,
    user_defined_filters=FILTERS,
    doc_md=__doc__,
    tags=["impact:tier-1", "area:ingest"],
    params={
        "as_of": Param(None, type=["null", "string"], format="date", description="Day that decides what is upcoming")
    },
):
    require_stacks = RequireStacks(task_id="require_stacks", stacks=["storage-processing"])
    events = ingest("ticketmaster_events")
    # One after the other: together they would ask more often than Ticketmaster allows of a key, or setlist.fm.
    named_by_events = [ingest(f"ticketmaster_{kind}", trigger_rule=AFTERWARDS) for kind in ("attractions", "venues")]
    setlistfm = [
        ingest("setlistfm_artists"),
        *(ingest(f"setlistfm_{kind}", trigger_rule=AFTERWARDS) for kind in ("setlists", "venues")),
    ]
    others = [ingest("spotify_artists"), import_box_office_files(), import_interaction_files()]
    sources = [events, *named_by_events, *setlistfm, *others]
    published = publish_raw_concerts()
    # Fails the run when a source failed, although publishing succeeded.
    check_every_source = EmptyOperator(task_id="check_every_source")

    chain(require_stacks, [events, setlistfm[0], *others])
    chain(events, *named_by_events)
    chain(*setlistfm)
    chain(sources, published, confirm_publication(published))
    chain(sources, check_every_source)
    chain(events, announce_event_changes(), check_every_source)
