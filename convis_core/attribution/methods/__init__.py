"""One file for each method: its function, and last the record ``INFO`` by which the registry knows it."""
