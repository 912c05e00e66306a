"""What each kind of log entry does to the history.

Each runs inside one transaction opened by `pipeline.apply`, on the definitions in force before the entry.
"""
