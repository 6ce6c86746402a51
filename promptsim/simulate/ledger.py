"""Accounts and what they send, with the truth of each event: where campaigns and benign senders write into.

campaigns, benign ─► Ledger ─► Simulation (events of the contract, truth rows)
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from hashlib import blake2b

from promptsim.contract import rfc3339
from promptsim.simulate.language import Voice
from promptsim.simulate.templates import Template

Row = dict[str, object]
_CLIENTS = ("web 4.2", "ios 8.1", "android 8.0", "desktop 3.9", "web 4.3", "cli 1.4")
_SDKS = ("python-sdk 1.9", "python-sdk 2.0", "node-sdk 5.3", "curl 8.5", "go-sdk 0.8")
_MODELS = ("m-small", "m-medium", "m-large")
_POLITE = "You are a helpful assistant."


@dataclass(slots=True)
class Account:
    """One sender. `kind` and `campaign` are truth and appear in no event."""

    account_id: str
    kind: str
    campaign: str
    zone: int
    as_messages: bool
    lower_case: bool
    metadata: Row
    pool: int = 0
    latest: int = 0  # when this person wrote last, in the order of writing


@dataclass(slots=True)
class Sent:
    """One event with its truth."""

    account: Account
    time: int
    system: str
    user: str
    role: str
    family: str
    campaign: str
    number: int


@dataclass(frozen=True, slots=True)
class FamilyTruth:
    """One planted family."""

    name: str
    kind: str
    campaign: str
    template_text: str


@dataclass(slots=True)
class Ledger:
    """Everything sent so far. `seed` makes the ids; ids say nothing of what they belong to."""

    seed: int
    with_messages: float = 0.25
    links: bool = False
    accounts: list[Account] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    families: dict[str, FamilyTruth] = field(default_factory=dict)

    def account(self, voice: Voice, kind: str, campaign: str = "", *, zone: int = 0, org: str = "") -> Account:
        """A new account. Developers, benchmarks and campaigns come through an SDK, people through an app."""
        machine = bool(campaign) or kind in ("developer", "benchmark", "harness_user")
        metadata: Row = {"model": voice.pick(_MODELS), "user_agent": voice.pick(_SDKS if machine else _CLIENTS)}
        if org:
            metadata["org_id"] = org
        made = Account(
            account_id=self._id("acct", len(self.accounts), 12),
            kind=kind,
            campaign=campaign,
            zone=zone,
            as_messages=voice.chance(self.with_messages),
            lower_case=not machine and voice.chance(0.3),
            metadata=metadata,
        )
        self.accounts.append(made)
        return made

    def family(self, name: str, kind: str, template_text: str, campaign: str = "") -> str:
        """Note a planted family; its name."""
        self.families.setdefault(name, FamilyTruth(name, kind, campaign, template_text))
        return name

    def say(self, account: Account, time: int, text: str, role: str, *, family: str = "", campaign: str = "") -> None:
        """Send a whole text."""
        self._send(account, time, "", text, role, family, campaign)

    def fill(
        self, account: Account, time: int, template: Template, payload: str, role: str, family: str, campaign: str = ""
    ) -> None:
        """Send a filled template; an account that sends messages puts the fixed beginning in the system role."""
        if account.as_messages and template.head.strip():
            user = f"{payload}{template.tail}"
            self._send(account, time, template.head.strip(), user, role, family, campaign)
        else:
            self._send(account, time, "", template.filled(payload), role, family, campaign)

    def _send(self, account: Account, time: int, system: str, user: str, role: str, family: str, campaign: str) -> None:
        self.sent.append(Sent(account, time, system, user, role, family, campaign, len(self.sent)))

    def event_id(self, sent: Sent) -> str:
        """The id of an event."""
        return self._id("ev", sent.number, 14)

    def event(self, sent: Sent) -> Row:
        """The event as the contract writes it."""
        account = sent.account
        row: Row = {
            "id": self.event_id(sent),
            "account_id": account.account_id,
            "timestamp": rfc3339(sent.time // 1000 * 1000),
        }
        if account.as_messages:
            row["messages"] = self._messages(sent)
        else:
            row["text"] = sent.user
        row["metadata"] = account.metadata
        return row

    def system_of(self, sent: Sent) -> str:
        """The system text that is really sent along, a client's usual one included."""
        usual = sent.account.as_messages and not sent.account.campaign and sent.number % 5 == 0
        return sent.system or (_POLITE if usual else "")

    def _messages(self, sent: Sent) -> list[Row]:
        """Some people's clients send a usual system text or an earlier turn along."""
        turns: list[Row] = [{"role": "user", "content": sent.user}]
        system = self.system_of(sent)
        if system:
            return [{"role": "system", "content": system}, *turns]
        if sent.number % 11 == 0:
            return [{"role": "assistant", "content": "Hello! What can I do for you?"}, *turns]
        if sent.number % 7 == 0:
            return [{"role": "user", "content": [{"type": "text", "text": sent.user}]}]
        return turns

    def _id(self, prefix: str, number: int, digits: int) -> str:
        digest = blake2b(f"{self.seed}/{prefix}/{number}".encode(), digest_size=8).hexdigest()
        return f"{prefix}_{digest[:digits]}"

    def add_links(self, voice: Voice) -> None:
        """Where the plan asks for it: addresses, payment and creation time; a campaign's accounts share some."""
        shared: dict[str, list[str]] = defaultdict(list)
        first: dict[str, int] = {}
        for sent in self.sent:
            known = first.get(sent.account.account_id)
            first[sent.account.account_id] = sent.time if known is None else min(known, sent.time)
        for account in self.accounts:
            pool = shared[account.campaign] if account.campaign else []
            if account.campaign and (not pool or voice.chance(0.2)):
                pool.append(f"pay_{voice.random.getrandbits(40):010x}")
            own = f"pay_{voice.random.getrandbits(40):010x}"
            account.metadata["payment_id"] = voice.pick(tuple(pool)) if pool else own
            account.metadata["ip"] = ".".join(str(voice.between(1, 254)) for _ in range(4))
            age = voice.between(1, 4) if account.campaign else voice.between(1, 700)
            begun = first.get(account.account_id, 0) - age * 86_400_000_000
            account.metadata["account_created_at"] = rfc3339(begun // 1_000_000 * 1_000_000)
