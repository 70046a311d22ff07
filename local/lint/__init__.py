"""What `make lint` knows of the SQL files: sample values for their templates, and whether sqlglot reads them."""
