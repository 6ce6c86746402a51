"""The review page: translate a request, ask the engine, render HTML. Everything that it shows was sent by strangers."""
