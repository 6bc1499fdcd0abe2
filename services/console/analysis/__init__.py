"""What no single read answers, and what leaves as a file (ENF-051 IV.C.3, III.B.3.m, III.D.5)."""
