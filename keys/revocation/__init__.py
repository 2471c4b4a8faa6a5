"""Revocation: what a CA's signed lists say of a certificate at an instant (RFC 5280 §5 and §6.3)."""
