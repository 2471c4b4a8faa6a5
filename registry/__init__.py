"""Turns a dossier into a decision and a decision into a receipt statement; knows no database, no HTTP and no clock."""
