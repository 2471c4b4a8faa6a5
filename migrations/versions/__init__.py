"""One file a revision, never edited after its release."""
