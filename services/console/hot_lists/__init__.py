"""Hot lists: versions, uploads, approvals, differences; and the plates that people watch for themselves."""
