"""Ways to reach a host; they are siblings behind :mod:`psexport.transport.base`."""
