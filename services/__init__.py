"""The services of Platewarden, a package each, and what they share."""
