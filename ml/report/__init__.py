"""The figures of docs/models.md, measured again from the samples: `python -m ml.report`, which `make models` calls.

Map: measure (backtest and evaluations) and nightly (the three training jobs at once, scoring, latency) -> figures.json;
tables -> the generated blocks of docs/models.md; plots and page -> report.html.
"""
