"""How venues perform: attendance, revenue trend, seasonality, and rank among peers, with their uncertainty.

Map: features (box-office reports to one row per report with rates) -> model (what venues of a size have in common) ->
analysis (one venue) -> train / evaluate / predict / analyze (command lines), charts -> service (published analyses).
"""
