"""The local Redshift: PostgreSQL behind a rewriter of Redshift's SQL, with COPY and UNLOAD on the emulated S3.

    tokens.py             SQL text to tokens and back
    rewriter.py           one Redshift statement to one PostgreSQL statement, or a refusal
    tables.py             CREATE TABLE and ALTER TABLE: what Redshift says about storage, and VARCHAR(n) in bytes
    merge.py              the MERGE that Redshift knows
    options.py            the clauses of COPY and UNLOAD
    copy.py, unload.py    S3 to table, query to S3
    sources.py            the rows of a CSV, JSON or Parquet object
    storage.py            S3 under the role of a statement
    warehouse.py          connections, transactions, results
    statements.py         the life of a Data API statement
    inventory.py          namespaces and workgroups
    compatibility.sql     Redshift functions that PostgreSQL lacks, or that answer otherwise

It refuses more than PostgreSQL does: what Redshift would refuse must not pass here.
"""


class StatementError(Exception):
    """A statement that cannot run, in the one line that DescribeStatement shows as its error."""
