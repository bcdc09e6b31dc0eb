"""The verbs. Nothing here knows a provider by name: what differs between them is in their adapters."""
