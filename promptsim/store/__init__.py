"""The truth: every event, prompt, finding, run and verdict of a home, and the only SQL of the package.

    events + vectors ─► append ─► promptsim.db, vectors.f16, events.cols ─► documents, incidence, activity, senders

`Store` (in `promptsim.store.store`) is composed of one module a noun; see `index/README.md` for the files of a home.
"""
