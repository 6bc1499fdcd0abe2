"""Questions to the archive: reads of a plate or a place, one read, and its picture."""
