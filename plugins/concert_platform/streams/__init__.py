"""The stream between producers and warehouse: sending, spilling, redriving, loading, watching."""
