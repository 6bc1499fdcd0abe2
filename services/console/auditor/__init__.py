"""The auditor's pages: the log and its proofs, purges, reviews, transparency, conformance."""
