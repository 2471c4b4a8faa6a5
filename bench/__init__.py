"""Measurements that stay in the project. Ratios are what counts: machines differ and drift."""
