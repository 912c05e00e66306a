"""PQL, the language of audiences. Pure: no I/O."""
