"""The parts of a report, one file each: rows to what its template shows."""
