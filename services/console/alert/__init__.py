"""One alert as people work it: look, acknowledge, verify, tell patrol cars, say what was done (ENF-051 II.A, IV.D.3-4)."""

from services.console.alert.routes import routes

__all__ = ["routes"]
