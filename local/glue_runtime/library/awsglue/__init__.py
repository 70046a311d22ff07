"""Stand-in for AWS Glue's Python library, as far as plain PySpark jobs need it."""
