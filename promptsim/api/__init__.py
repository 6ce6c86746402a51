"""HTTP: translate a request, call the service, render the answer. Contract: docs/api.md and docs/openapi.json."""
