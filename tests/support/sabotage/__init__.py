"""Routers that are wrong on purpose, as worker modules: what the ledger and the poison rule must catch.

`python -m tests.support.sabotage NAME CONFIG` is `hubex run` with such workers.
"""
