"""Source connectors of ingest_concerts: from an API or the drop zone into the raw bucket.

    run.py           the ingest run: its day, its slug
    errors.py        exceptions of all sources
    connectors.py    what ingest_concerts reads by API
    client.py        what the APIs share: pace, budget, retries, waits
    keys.py          keys from Secrets Manager
    budget.py        requests of a source a day (DynamoDB)
    responses.py     what the connectors read of the APIs' answers
    watch_list.py    artists and venues to follow
    watch_entries.py what an entry of a watch list may hold
    ticketmaster.py  events of the Ticketmaster Discovery API
    ticketmaster_entities.py    its attractions and venues
    spotify.py       artists of the Spotify Web API
    setlistfm.py     artists, setlists and venues of setlist.fm
    files.py         box-office files and interactions from the drop zone
    inspection.py    number of records of a dropped file, or why it cannot be read
    each.py          records one after the other, past those that fail
    delivery.py      what all sources share: upload, manifest, commit
    manifests.py     manifest.json and the run index, and where everything lies in the raw bucket
    state.py         what was delivered by which run, and which runs are not published yet (DynamoDB)
    publication.py   run indexes and the partitions of the asset event
    landing.py       the sample files, put into the drop zone

A run commits a source by adding the source's manifest to the run's item in the state table. What was written before
that counts for nothing and is delivered again; what was committed is published by this run or the next one.
"""
