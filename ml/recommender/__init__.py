"""Recommendations of artists, and of their upcoming concerts, from interactions, tags and friends.

Map: data (files to matrices) -> features (weights, tag rows, friends) -> signals (one model each: popularity, item kNN,
EASE, user ridge, tags, friends, ALS) -> hybrid (candidates, then ranking) -> train / evaluate / recommend / predict
(command lines; predict takes a stored model to tonight's interactions by fold_in) -> service (answers from what the
nightly run published, which store reads from files and table from DynamoDB).
"""
