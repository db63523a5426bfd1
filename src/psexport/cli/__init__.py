"""The command line: one parameter table, and what is made from it."""
