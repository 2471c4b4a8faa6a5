"""The log: a Merkle tree over everything that was ever entered, as RFC 6962 and C2SP tlog-tiles have it."""
