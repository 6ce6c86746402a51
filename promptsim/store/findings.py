"""What a run found ◄─► families, skeletons, networks, findings: replaced as a whole, or not at all."""

from __future__ import annotations

from collections.abc import Iterable

from promptsim.errors import NotFoundError, UsageError
from promptsim.records import Family, FamilySet, Finding, Mining, Network, NetworkSet, Run, Skeleton
from promptsim.store import rows
from promptsim.store.announcements import announce_run, flagged
from promptsim.store.database import Connection, explained
from promptsim.store.members import Memberships, keep_late, late_rows, write_members
from promptsim.store.runs import Runs
from promptsim.store.verdicts import note_ancestry

SORTS = {
    "score": "flagged DESC, score DESC, account_count DESC, family_id",
    "accounts": "account_count DESC, event_count DESC, family_id",
    "events": "event_count DESC, account_count DESC, family_id",
    "new": "first_seen DESC, family_id",
}


class Findings(Memberships, Runs):
    """The current result: exactly what one run found, plus what ingest has put into its families since."""

    def save_run(
        self, run: Run, families: FamilySet, networks: NetworkSet, *, covered: int, whole: int = 0, rules: str = ""
    ) -> None:
        """Replace the current result by this run's and record the run, in one transaction.

        See `Mining` for `covered`, `whole` and `rules`. BusyError when the run has lost its lease meanwhile.
        Findings of families are laid over the families; readers see the old result or the new one, never a mixture.
        """
        with self.database.writing() as connection:
            self._end_lease(connection, run.run_id)
            flagged_before = flagged(connection)
            late = late_rows(connection, covered)
            _write_families(connection, families, networks)
            write_members(connection, families.families, families.members)
            keep_late(connection, late)
            _write_networks(connection, networks)
            self._put_run(connection, run)
            known = {"covered_prompts": covered, "mined_whole": whole, "mined_rules": rules}
            connection.executemany("REPLACE INTO meta VALUES (?, ?)", known.items())
            note_ancestry(connection, families.families)
            announce_run(connection, run, flagged_before)

    # ---------------------------------------------------------------- reading
    def families(
        self, *, sort: str = "score", flagged: bool | None = None, limit: int | None = None, offset: int = 0
    ) -> list[Family]:
        """Families of the last run, in the order of `sort` (score, accounts, events, new)."""
        if sort not in SORTS:
            raise UsageError(f"families cannot be sorted by {sort!r}: choose one of {', '.join(SORTS)}")
        where = "" if flagged is None else f" WHERE flagged = {int(flagged)}"
        sql = f"SELECT {rows.FAMILY_COLUMNS} FROM families{where} ORDER BY {SORTS[sort]} LIMIT ? OFFSET ?"
        found = self._all(sql, (-1 if limit is None else limit, offset))
        return [rows.family_from_row(row) for row in found]

    def family(self, family_id: str) -> Family:
        """One family; NotFoundError if the last run has none of this id."""
        found = self._all(f"SELECT {rows.FAMILY_COLUMNS} FROM families WHERE family_id = ?", (family_id,))
        if not found:
            raise NotFoundError(f"no family has the id {family_id!r}")
        return rows.family_from_row(found[0])

    def family_set(self) -> FamilySet:
        """The last run's families, members and skeletons as it found them; `family` in the members indexes them."""
        with self.snapshot():
            found = self._all(f"SELECT {rows.FAMILY_COLUMNS} FROM families ORDER BY family_no", ())
            families = tuple(rows.family_from_row(row) for row in found)
            return FamilySet(families, self.members(), tuple(self.skeletons()), {})

    def skeletons(self) -> list[Skeleton]:
        """What new prompts are matched against."""
        sql = "SELECT wording_id, family_id, shingles, weights, text, worth FROM skeletons ORDER BY position"
        return [rows.skeleton_from_row(row) for row in self._all(sql, ())]

    def networks(self, *, flagged: bool | None = None, limit: int | None = None, offset: int = 0) -> list[Network]:
        """Networks of the last run, those with the best evidence first."""
        where = "" if flagged is None else f" WHERE flagged = {int(flagged)}"
        order = "flagged DESC, score DESC, network_id"
        sql = f"SELECT {rows.NETWORK_COLUMNS} FROM networks{where} ORDER BY {order} LIMIT ? OFFSET ?"
        return [rows.network_from_row(row) for row in self._all(sql, (-1 if limit is None else limit, offset))]

    def network(self, network_id: str) -> Network:
        """One network; NotFoundError if the last run has none of this id."""
        found = self._all(f"SELECT {rows.NETWORK_COLUMNS} FROM networks WHERE network_id = ?", (network_id,))
        if not found:
            raise NotFoundError(f"no network has the id {network_id!r}")
        return rows.network_from_row(found[0])

    def account_finding(self, account_id: str) -> Finding | None:
        """What the last run says of an account, if anything."""
        found = self._all(f"SELECT {rows.FINDING_COLUMNS} FROM account_findings WHERE subject_id = ?", (account_id,))
        return rows.finding_from_row(found[0]) if found else None

    def account_findings(self) -> dict[str, Finding]:
        """What the last run says of all accounts that it says anything of."""
        found = self._all(f"SELECT {rows.FINDING_COLUMNS} FROM account_findings ORDER BY subject_id", ())
        return {row[0]: rows.finding_from_row(row) for row in found}

    def covered_prompts(self) -> int:
        """How many prompts the last finished run saw; those from this number on are new since."""
        return self.mining().covered

    def mining(self) -> Mining:
        """What the last finished run had seen, and when all was last mined anew."""
        connection = self.database.reader()
        covered, whole, rules = (self._meta(connection, k) for k in ("covered_prompts", "mined_whole", "mined_rules"))
        return Mining(int(covered or 0), int(whole or 0), str(rules or ""))

    def _all(self, sql: str, parameters: Iterable[object]) -> list[rows.Row]:
        with explained(self.home.database):
            found: list[rows.Row] = self.database.reader().execute(sql, tuple(parameters)).fetchall()
        return found


def _write_families(connection: Connection, found: FamilySet, networks: NetworkSet) -> None:
    for table in ("families", "skeletons"):
        connection.execute(f"DELETE FROM {table}")
    marks = ", ".join("?" * 20)
    said = networks.families
    connection.executemany(
        f"INSERT INTO families (family_no, {rows.FAMILY_COLUMNS}) VALUES ({marks})",
        ((number, *rows.family_to_row(one, said.get(one.family_id))) for number, one in enumerate(found.families)),
    )
    connection.executemany(
        "INSERT INTO skeletons VALUES (?, ?, ?, ?, ?, ?, ?)",
        ((number, *rows.skeleton_to_row(skeleton)) for number, skeleton in enumerate(found.skeletons)),
    )


def _write_networks(connection: Connection, found: NetworkSet) -> None:
    for table in ("networks", "account_findings"):
        connection.execute(f"DELETE FROM {table}")
    connection.executemany(
        f"INSERT INTO networks (position, {rows.NETWORK_COLUMNS}) VALUES ({', '.join('?' * 12)})",
        ((number, *rows.network_to_row(network)) for number, network in enumerate(found.networks)),
    )
    connection.executemany(
        f"INSERT INTO account_findings ({rows.FINDING_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)",
        (rows.finding_to_row(finding) for _, finding in sorted(found.accounts.items())),
    )
