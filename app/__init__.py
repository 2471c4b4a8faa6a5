"""Finds the dossier, keeps the time, holds the transaction, and speaks HTTP and shell."""
