"""`platewarden conformance`: does the running system keep the directive, clause by clause (ENF-051 III.B.3.q)?"""
