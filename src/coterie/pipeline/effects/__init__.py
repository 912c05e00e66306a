"""What each kind of log entry does to the history; each module inside one transaction opened by `pipeline.apply`."""
