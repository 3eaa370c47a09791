"""A Microsoft Graph and a Replicon on loopback that speak the documented wire, for demos, tests and rehearsals."""
