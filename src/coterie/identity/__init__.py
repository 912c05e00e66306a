"""Identities, links, graphs and persons."""
