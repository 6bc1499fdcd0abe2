"""`platewarden conformance`: how a running system stands to the directive, clause by clause (III.B.3.q)."""
