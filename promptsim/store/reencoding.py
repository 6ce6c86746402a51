"""All prompts + another encoder ─► a further generation of vectors, changed over to at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from promptsim.records import DocumentBatch, Floats
from promptsim.store.core import Core, EncoderIdentity
from promptsim.store.database import Connection
from promptsim.store.vectors import Vectors

Encode = Callable[[DocumentBatch], Floats]
Batch = tuple[int, int, bytes]  # first prompt, prompts, digest


class Reencoding(Core):
    """Changing the encoder of a home that holds something."""

    def reencode(self, encoder: EncoderIdentity, encode: Encode, batch: int = 50_000) -> None:
        """Make all vectors anew beside the old ones, which are used until all is done; then the old ones go.

        `encode` gives a unit row for each document. Prompts that arrive meanwhile come last, while writers wait.
        """
        with self.database.streaming() as connection:
            generation = self._generation(connection)
            fresh = Vectors(self.home.vectors(generation + 1), encoder.dimension)
            fresh.path.unlink(missing_ok=True)
            covered = self._prompt_count(connection)
            done = list(self._encoded(connection, fresh, encode, range(0, covered, batch), covered))
        with self.database.writing() as connection:
            count = self._prompt_count(connection)
            done += self._encoded(connection, fresh, encode, range(covered, count, batch), count)
            connection.execute("DELETE FROM batches")
            connection.executemany("INSERT INTO batches VALUES (?, ?, ?)", done)
            connection.execute("REPLACE INTO meta VALUES ('vectors_generation', ?)", (generation + 1,))
            self._put_encoder(connection, encoder)
            self._clear_vectors(connection)
        self._expected = encoder
        self.home.vectors(generation).unlink(missing_ok=True)

    def _encoded(
        self, connection: Connection, fresh: Vectors, encode: Encode, starts: range, count: int
    ) -> Iterator[Batch]:
        sql = "SELECT prompt_no, system, user FROM prompts WHERE prompt_no >= ? AND prompt_no < ?"
        for start in starts:
            end = min(start + starts.step, count)
            found = connection.execute(sql + " AND fingerprint NOT NULL ORDER BY prompt_no", (start, end)).fetchall()
            rows = np.zeros((end - start, fresh.dimension), dtype=np.float32)
            if found:
                numbers, system, user = zip(*found, strict=True)
                documents = DocumentBatch(np.array(numbers, dtype=np.int64), system, user)
                rows[documents.prompt_no - start] = encode(documents)
            yield start, end - start, fresh.write(start, rows)
