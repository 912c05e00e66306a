"""The HTTP face of the façade: what can be asked of a workspace, and the server that answers."""
