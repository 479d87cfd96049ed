"""An exported tracker as a server for programs: the sessions that it keeps, and what it answers."""
