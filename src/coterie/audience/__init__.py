"""Audiences: definitions, evaluation, the membership ledger, export."""
