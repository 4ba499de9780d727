"""The search: KerasTuner chooses hyperparameters, trials are scored on validation data.

hyperparameters.py  the search space, and the values a user sets
oracles.py          which values are tried next; atomic_files.py keeps the oracles' files intact
trial.py            trains one set of values, and resumes after a kill; folds.py splits the data
tuner.py            the scheduling loop: asks the oracle, dispatches trials, reports the scores
runners.py          where trials run: in this process, in others (process.py), on Ray (cluster.py)
progress.py         what the terminal shows while trials run; report.py: when they have ended
"""
