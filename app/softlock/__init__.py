"""Demonstration certification authorities and soft locks: for integrators and test stores, refused by live ones."""
