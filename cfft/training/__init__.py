"""One run, from a configuration to results.json; `sweep` is many runs.

Prepare, evaluate, train with checkpoints, evaluate again. What happens within a step is not
decided here but in `step`, and what is measured on a set in `scoring`.
"""
