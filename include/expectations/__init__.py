"""Great Expectations suites, one module per curated dataset, run by the Glue job before anything is published.

Each module has ``expectations(gxe, *, rows, records)``: ``gxe`` is ``great_expectations.expectations`` (passed in, for
importing it takes seconds), ``rows`` what the accounts say was written, ``records`` what the manifests count. The
suites state what the record rules and the deduplication must have brought about, so a failure means that the job or a
mapping is wrong, not a record. A failed ``critical`` expectation stops the publication; a ``warning`` is only recorded.
"""
