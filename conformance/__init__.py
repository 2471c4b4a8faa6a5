"""What third-party test data say about this software: one module a subject, run by `make conformance`."""
