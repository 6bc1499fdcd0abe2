"""The console: pages for dispatchers, officers, coordinators and auditors; a client of the services."""
