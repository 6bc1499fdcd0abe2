"""`platewarden demo`: the whole system at work on one machine, told as a story in seven steps."""
