"""From what a host answers to the catalogue."""
