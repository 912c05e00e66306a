"""Coterie: an open, self-hosted real-time customer data platform."""
