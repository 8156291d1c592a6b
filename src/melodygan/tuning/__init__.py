"""Search for a stage's parameters by its validation score (Akiba et al. 2019, 1907.10902).

What is searched stands in tune.yaml (`space.py`). A supervisor (`supervisor.py`) claims trials in a
storage that several machines can share (`ledger.py`) and hands them to child processes (`pool.py`,
`worker.py`), which train through the one training loop. Nothing here is a stage, and no stage
imports it.
"""
