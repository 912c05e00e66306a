"""One module a revision; the revisions are the formats of the catalog."""
