"""The `platewarden` command: a client of the services, with no rule and no database of its own."""
