"""What every command may use: one line of error, provenance, plain tables, drawing. Nothing of trackers."""
