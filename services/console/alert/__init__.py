"""One alert as people work it: look, acknowledge, verify, tell patrol cars, say what was done."""

from services.console.alert.routes import routes

__all__ = ["routes"]
