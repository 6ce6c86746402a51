"""Seed and wishes → synthetic families, members and activity, without any text: what the drill and the tests run on.

Not a model of the world but of the null hypotheses and of the campaigns that the tests claim to see: people who send in
sittings at hours of their own and borrow public templates by topic and popularity; commonplace texts; question sets;
classes; organisations; a tool many use; and campaigns that deal out fillings over the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from promptsim.networks.options import DAY, HOUR
from promptsim.records import Activity, Family, Members, Wording

Doubles = npt.NDArray[np.float64]
Int64s = npt.NDArray[np.int64]

START = 1_740_960_000_000_000  # an arbitrary Monday
NONE = -1  # an event of no family
LONG, SHORT = 40, 8  # words of a fixed text


@dataclass
class Rehearsal:
    """Collects events; `build` gives what `link` takes. Every `add_…` names the accounts it made by kind."""

    seed: int
    days: int = 30
    kinds: dict[str, list[int]] = field(default_factory=dict)
    accounts: int = 0
    _rows: list[tuple[Int64s, Int64s, Int64s, Int64s, Int64s]] = field(default_factory=list)
    _texts: list[str] = field(default_factory=list)
    _organisation: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self._fresh = 1 << 32  # fillings from here on are unique

    # ------------------------------------------------------------ pieces
    def new_accounts(self, kind: str, count: int) -> Int64s:
        numbers = np.arange(self.accounts, self.accounts + count, dtype=np.int64)
        self.accounts += count
        self.kinds.setdefault(kind, []).extend(numbers.tolist())
        return numbers

    def new_families(self, count: int, words: int = LONG) -> Int64s:
        """Texts of so many words, each of words of its own."""
        numbers = np.arange(len(self._texts), len(self._texts) + count, dtype=np.int64)
        self._texts += [f"text{number} " * words for number in numbers.tolist()]
        return numbers

    def unique(self, count: int) -> Int64s:
        self._fresh += count
        return np.arange(self._fresh - count, self._fresh, dtype=np.int64)

    def put(self, account: Int64s, family: Int64s, filling: Int64s, time: Int64s, place: Int64s | int = 2) -> None:
        self._rows.append((account, family, filling, time, np.broadcast_to(np.asarray(place, np.int64), account.shape)))

    def sittings(self, account: Int64s, volume: Int64s) -> tuple[Int64s, Int64s]:
        """(account, time) of people: sittings at an hour of their own, minutes between requests."""
        random = self.random
        who = np.repeat(np.arange(len(account)), volume)
        home = random.uniform(0, 24, len(account))
        begin = random.beta(1, 3, len(account)) * self.days
        length = (self.days - begin) * random.beta(2, 1, len(account))
        opens = random.random(len(who)) < 0.35
        opens[np.flatnonzero(np.diff(who, prepend=-1))] = True
        sitting = np.cumsum(opens) - 1
        owner = who[opens]
        date = np.floor(begin[owner] + random.random(len(owner)) * length[owner])
        hour = (home[owner] + random.normal(0, 2.5, len(owner))) % 24
        step = random.exponential(4 / 60, len(who))
        step[opens] = 0
        total = np.cumsum(step)
        within = total - total[opens][sitting]
        time = START + ((date * 24 + hour)[sitting] * HOUR).astype(np.int64) + (within * HOUR).astype(np.int64)
        return account[who], time

    def around_the_clock(self, count: int, begin: float = 0.0, end: float | None = None) -> Int64s:
        """Times of a scheduler: any hour, a little less at night."""
        end = self.days if end is None else end
        time = self.random.uniform(begin, end, 2 * count + 8)
        kept = time[self.random.random(len(time)) < 0.8 + 0.2 * np.sin(2 * np.pi * time)][:count]
        kept = np.resize(kept, count)
        return START + (kept * DAY).astype(np.int64)

    def volumes(self, count: int, median: float, spread: float = 0.9) -> Int64s:
        return np.ceil(self.random.lognormal(np.log(median), spread, count)).astype(np.int64)

    # ------------------------------------------------------------ benign
    def add_people(
        self, count: int, templates: int = 25, topics: int = 20, topical: float = 0.8, light: int = 600
    ) -> None:
        """People with a topic, who borrow public templates (mostly of their topic) and write commonplace texts."""
        random = self.random
        account = self.new_accounts("people", count)
        public, plain = self.new_families(templates), self.new_families(light, SHORT)
        who, time = self.sittings(account, self.volumes(count, 4.0))
        local = who - account[0]
        topic = random.integers(topics, size=count)
        theme = random.integers(topics, size=templates)
        fame = 1 / np.arange(1, templates + 1) ** 0.8
        repertoire = np.stack([self._choices(topic, theme, fame, topical) for _ in range(3)], axis=1)
        share = random.beta(1.2, 3.0, count) * (random.random(count) < 0.15)
        family = np.full(len(who), NONE)
        borrowed = random.random(len(who)) < share[local]
        pick = np.minimum(random.geometric(0.6, len(who)) - 1, 2)
        family[borrowed] = public[repertoire[local, pick][borrowed]]
        weights = 1 / np.arange(1, light + 1)
        written = ~borrowed & (random.random(len(who)) < 0.25)
        family[written] = random.choice(plain, int(written.sum()), p=weights / weights.sum())
        filling = self.unique(len(who))
        popular = borrowed & (random.random(len(who)) < 0.3)
        filling[popular] = np.minimum(random.zipf(1.3, int(popular.sum())), 400)
        place = np.where(written, random.integers(0, 4, len(who)), 2)
        self.put(who, family, filling, time, place)

    def _choices(self, topic: Int64s, theme: Int64s, fame: Doubles, topical: float) -> Int64s:
        """One template for each person: of the topic if there is one and chance wills, else by fame."""
        general = self.random.choice(len(fame), len(topic), p=fame / fame.sum())
        for at in np.flatnonzero(self.random.random(len(topic)) < topical):
            near = np.flatnonzero(theme == topic[at])
            if len(near):
                weight = fame[near] / fame[near].sum()
                general[at] = self.random.choice(near, p=weight)
        return general.astype(np.int64)

    def add_tool(self, users: int) -> None:
        """A program with a fixed prompt of its own, used by people in sittings, with payloads of their own."""
        account = self.new_accounts("tool", users)
        family = self.new_families(1)
        who, time = self.sittings(account, self.volumes(users, 20, 0.5))
        used = self.random.random(len(who)) < 0.87
        place = np.where(self.random.random(users) < 0.25, 4, 2)[who - account[0]]
        self.put(who, np.where(used, family[0], NONE), self.unique(len(who)), time, place)

    def add_class(self, pupils: int) -> None:
        """One task on one afternoon: the same few fillings, small edits, a few requests each."""
        account = self.new_accounts("class", pupils)
        family = self.new_families(2)
        who = np.repeat(account, self.random.integers(1, 4, pupils))
        begin = START + int(self.random.integers(1, self.days - 1)) * DAY
        time = begin + self.random.integers(0, 3 * HOUR, len(who))
        filling = np.where(self.random.random(len(who)) < 0.5, 0, self.unique(len(who)))
        self.put(
            who, family[self.random.integers(2, size=len(who))], filling, time, self.random.integers(0, 4, len(who))
        )

    def add_benchmark(self, runners: int, items: int = 120) -> None:
        """Every runner sends every item, at a time of its own; half the items form families of their own."""
        account = self.new_accounts("benchmark", runners)
        shared, single = self.new_families(1), self.new_families(items // 2)
        for runner in account:
            item = self.random.permutation(items)[: int(items * 0.95)]
            begin = START + int(self.random.integers(0, self.days - 1)) * DAY
            time = begin + np.cumsum(self.random.exponential(HOUR / 60, len(item))).astype(np.int64)
            family = np.where(item < len(single), single[np.minimum(item, len(single) - 1)], shared[0])
            self.put(np.full(len(item), runner), family, item + 1, time)

    def add_organisation(self, seats: int, templates: int = 2, declared: bool = True) -> None:
        """Seats that share templates of their own; `declared`: they carry one org_id."""
        account = self.new_accounts("organisation", seats)
        family = self.new_families(templates)
        who, time = self.sittings(account, self.volumes(seats, 20, 0.6))
        pick = self.random.integers(0, 2 * templates, len(who))
        self.put(who, np.where(pick < templates, family[pick % templates], NONE), self.unique(len(who)), time)
        if declared:
            self._organisation.update(dict.fromkeys(account.tolist(), f"org_{account[0]}"))

    # ------------------------------------------------------------ campaigns
    def add_campaign(
        self, size: int, families: int, each: float, *, dilution: float = 0.3, adoption: float = 1.0
    ) -> None:
        """Fillings dealt out over the clock; `dilution` of what the accounts send is other traffic in sittings."""
        account = self.new_accounts("campaign", size)
        own = self.new_families(families)
        uses = self.random.random((size, families)) < adoption
        uses[np.arange(size), self.random.integers(families, size=size)] = True
        volume = np.maximum(self.random.poisson(each, size), 1)
        for at, number in enumerate(account):
            family = self.random.choice(own[uses[at]], volume[at])
            self.put(np.full(volume[at], number), family, self.unique(volume[at]), self.around_the_clock(volume[at]))
        cover = self.random.poisson(volume * dilution / (1 - dilution))
        who, time = self.sittings(account[cover > 0], cover[cover > 0].astype(np.int64))
        self.put(who, np.full(len(who), NONE), self.unique(len(who)), time)

    def add_injection(self, size: int) -> None:
        """An instruction put before, after or inside what people send, three times in four."""
        account = self.new_accounts("injection", size)
        family = self.new_families(1)
        who, time = self.sittings(account, self.volumes(size, 25, 0.45))
        used = self.random.random(len(who)) < 0.73
        place = self.random.choice([1, 2, 3], len(who), p=[0.4, 0.4, 0.2])
        self.put(who, np.where(used, family[0], NONE), self.unique(len(who)), time, place)

    # ------------------------------------------------------------ result
    def build(self) -> tuple[tuple[Family, ...], Members, Activity]:
        """Distinct (family, filling, place) are prompts; events of no family have a prompt each."""
        account, family, filling, time, place = (np.concatenate(column) for column in zip(*self._rows, strict=True))
        order = np.lexsort((account, time))
        account, family, filling, time, place = (x[order] for x in (account, family, filling, time, place))
        key = np.stack([family, filling, place], axis=1)
        distinct, prompt = np.unique(key, axis=0, return_inverse=True)
        known = np.flatnonzero(distinct[:, 0] >= 0)
        members = Members(
            prompt_no=known.astype(np.int64),
            family=distinct[known, 0].astype(np.int32),
            wording=np.zeros(len(known), np.int32),
            relation=np.full(len(known), 2, np.uint8),
            filling=distinct[known, 1].astype(np.uint64),
            place=distinct[known, 2].astype(np.uint8),
        )
        names = tuple(f"a{number:06d}" for number in range(self.accounts))
        metadata = (
            {"org_id": {who: (value,) for who, value in self._organisation.items()}} if self._organisation else {}
        )
        activity = Activity(account.astype(np.int32), prompt.ravel().astype(np.int64), time, names, metadata)
        return self._families(account, family, time, distinct), members, activity

    def _families(self, account: Int64s, family: Int64s, time: Int64s, distinct: Int64s) -> tuple[Family, ...]:
        count = len(self._texts)
        events = np.bincount(family[family >= 0], minlength=count)
        prompts = np.bincount(distinct[distinct[:, 0] >= 0, 0], minlength=count)
        pairs = np.unique(np.stack([family, account], axis=1), axis=0)
        users = np.bincount(pairs[pairs[:, 0] >= 0, 0], minlength=count)
        return tuple(
            Family(
                family_id=f"f{at:05d}",
                kind="template",
                role="user",
                template=self._texts[at],
                slots=(),
                wordings=(Wording(f"w{at:05d}", self._texts[at], int(events[at]), int(users[at])),),
                event_count=int(events[at]),
                prompt_count=int(prompts[at]),
                account_count=int(users[at]),
                first_seen=int(time[0]) if len(time) else 0,
                last_seen=int(time[-1]) if len(time) else 0,
            )
            for at in range(count)
        )


def add_benign(traffic: Rehearsal, accounts: int) -> None:
    """The null of the drill: people and every benign look-alike, in proportion to the number of accounts."""
    traffic.add_people(accounts)
    for _ in range(max(2, accounts // 4000)):
        traffic.add_class(int(traffic.random.integers(25, 65)))
        traffic.add_benchmark(int(traffic.random.integers(5, 9)))
        traffic.add_tool(int(traffic.random.integers(15, 60)))
    for _ in range(max(3, accounts // 1000)):
        traffic.add_organisation(int(traffic.random.integers(3, 25)), int(traffic.random.integers(1, 4)))
