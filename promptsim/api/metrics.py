"""Requests, ingest, index and runs as Prometheus metrics. Labels are route templates, never ids or texts."""

from __future__ import annotations

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from promptsim.engine.receiving import Receipt
from promptsim.service import Service

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """One registry an app; other rooms may add their own collectors to `registry`."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "promptsim_http_requests", "Requests answered.", ("method", "route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "promptsim_http_request_seconds", "Until the answer began.", ("route",), buckets=BUCKETS, registry=registry
        )
        self._events = Counter(
            "promptsim_ingested_events", "Events by what became of them.", ("outcome",), registry=registry
        )
        self._gauges = {
            name: Gauge(f"promptsim_{name}", said, registry=registry)
            for name, said in {
                "ready": "Whether the index answers.",
                "events": "Events in the home.",
                "prompts": "Distinct prompts in the home, erased ones among them.",
                "accounts": "Accounts in the home.",
                "index_lag_prompts": "Prompts that no index generation has yet.",
                "new_prompts_since_last_run": "Prompts that no clustering run has seen yet.",
                "last_run_age_seconds": "Since the last finished run ended; NaN before the first.",
                "last_run_seconds": "How long the last finished run took; NaN before the first.",
                "failed_runs": "Runs started here that failed.",
                "outbox_depth": "Webhook deliveries that have not ended.",
                "alerts": "Accounts that joined families judged coordinated.",
            }.items()
        }
        for outcome in ("accepted", "known", "rejected"):
            self._events.labels(outcome)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one request."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def ingested(self, receipt: Receipt) -> None:
        """Count one batch."""
        figures = {"accepted": receipt.accepted, "known": receipt.known, "rejected": len(receipt.rejections)}
        for outcome, count in figures.items():
            self._events.labels(outcome).inc(count)

    def page(self) -> bytes:
        """All metrics in the text format, as they are now."""
        engine, never = self._service.engine, float("nan")
        counts, last = engine.counts(), engine.last_run()
        finished = last.finished if last is not None else None
        figures = {
            "ready": float(self._service.ready),
            "events": counts.events,
            "prompts": counts.prompts,
            "accounts": counts.accounts,
            "index_lag_prompts": engine.index_lag,
            "new_prompts_since_last_run": counts.prompts - engine.covered_prompts(),
            "last_run_age_seconds": never if finished is None else time.time() - finished / 1e6,
            "last_run_seconds": never if last is None or finished is None else (finished - last.started) / 1e6,
            "failed_runs": self._service.runner.failures,
            "outbox_depth": engine.store.outbox_depth(),
            "alerts": engine.store.join_count(),
        }
        for name, value in figures.items():
            self._gauges[name].set(value)
        return generate_latest(self.registry)


class Measured:
    """Middleware: times each request, and says its route by template."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def noted(message: Message) -> None:
            nonlocal status, began
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            route = getattr(scope.get("route"), "path_format", None) or "unmatched"
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._metrics.answered(method, route, status, time.perf_counter() - began)


_METHODS = {"GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"}
