"""What the service does, one verb a file. No framework, no clock: instants come in as arguments."""
