"""Programs that take motion while it is made: one module for each protocol, and the table of them (`table`)."""
