"""Ordinary traffic and what looks like a campaign without being one.

People without a template, developers' wrappers, popular public prompts, benchmark runs, classrooms, organisations,
users of one harness, retries and very common short prompts. Each sends at most its budget of events.
"""

from __future__ import annotations

from promptsim.simulate import clock
from promptsim.simulate.language import Voice, organic, payload, question, short_payload
from promptsim.simulate.ledger import Account, Ledger
from promptsim.simulate.templates import SLOT, Template, instruction, short_instruction
from promptsim.simulate.words import COMMON

HARNESS = "harness"


def people(ledger: Ledger, voice: Voice, budget: int, days: int) -> list[Account]:
    """Accounts that ask what comes to their mind; most a few times, some often."""
    made: list[Account] = []
    while budget > 0:
        account = ledger.account(voice, "casual", zone=clock.ZONES[voice.between(0, len(clock.ZONES) - 1)])
        made.append(account)
        many = min(budget, 1 + int(4 * voice.random.paretovariate(1.3)), 80)
        first = voice.between(0, max(0, days - 5))
        for _ in range(many):
            say_something(ledger, voice, account, clock.next_of(voice, account, first, days))
        budget -= many
    return made


def say_something(ledger: Ledger, voice: Voice, account: Account, time: int, campaign_cover: bool = False) -> None:
    """One prompt without a template."""
    text = organic(voice)
    if account.lower_case:
        text = text.lower()
    ledger.say(account, time, text, "background" if campaign_cover else "adhoc")


def common(ledger: Ledger, voice: Voice, budget: int, days: int, crowd: list[Account]) -> None:
    """Greetings and other prompts of a few words that everyone sends."""
    for _ in range(budget if crowd else 0):
        account = _one_of(voice, crowd)
        text = voice.pick(COMMON)
        shown = text.capitalize() if voice.chance(0.4) else text
        ledger.say(account, clock.next_of(voice, account, 0, days), shown, "common")


def retries(ledger: Ledger, voice: Voice, budget: int) -> None:
    """The same text again from the same account, minutes later."""
    again = [sent for sent in ledger.sent if sent.role == "adhoc"]
    for _ in range(budget if again else 0):
        sent = again[voice.between(0, len(again) - 1)]
        ledger.say(sent.account, clock.burst(voice, sent.time, 10), sent.user, "retry")


def developers(ledger: Ledger, voice: Voice, budget: int, days: int) -> None:
    """Apps: one account each, one or two templates, users by day or jobs around the clock."""
    number = 0
    while budget > 0:
        account = ledger.account(voice, "developer", zone=clock.ZONES[voice.between(0, len(clock.ZONES) - 1)])
        templates = [instruction(voice) for _ in range(1 + voice.chance(0.3))]
        round_the_clock = voice.chance(0.3)
        for _ in range(min(budget, voice.between(15, 90))):
            which = voice.between(0, len(templates) - 1)
            family = ledger.family(f"dev_{number:04}_{which}", "dev_wrapper", templates[which].text)
            time = clock.machine(voice, 0, days) if round_the_clock else clock.next_of(voice, account, 0, days)
            ledger.fill(account, time, templates[which], payload(voice), "dev_wrapper", family)
            budget -= 1
        number += 1


def public(ledger: Ledger, voice: Voice, budget: int, days: int, crowd: list[Account]) -> None:
    """Prompts that went round: popular by rank, used by independent people who know nothing of each other."""
    if not crowd:
        return
    templates = [instruction(voice, (1, 3)) if voice.chance(0.5) else short_instruction(voice) for _ in range(12)]
    weights = [1 / (rank + 1.5) for rank in range(len(templates))]
    appeared = [voice.between(0, days // 2) for _ in templates]
    while budget > 0:
        which = voice.random.choices(range(len(templates)), weights)[0]
        family = ledger.family(f"public_{which:02}", "public_template", templates[which].text)
        account = _one_of(voice, crowd)
        for _ in range(min(budget, 1 + int(voice.random.lognormvariate(0.5, 1.0)))):
            filling = question(voice) if voice.chance(0.1) else short_payload(voice)
            time = clock.next_of(voice, account, appeared[which], days)
            ledger.fill(account, time, templates[which], filling, "public_template", family)
            budget -= 1


def benchmarks(ledger: Ledger, voice: Voice, budget: int, days: int, crowd: list[Account]) -> None:
    """The same items from every runner, in one go at night; a few people paste single items."""
    number = 0
    while budget >= 60:
        template = short_instruction(voice)
        family = ledger.family(f"bench_{number:02}", "benchmark", template.text)
        items = [short_payload(voice) for _ in range(min(60, budget // 3))]
        for _ in range(3):
            account = ledger.account(voice, "benchmark")
            begin = clock.START + voice.between(0, days - 1) * clock.DAY + 2 * clock.HOUR
            for item in items:
                ledger.fill(account, clock.burst(voice, begin, 90), template, item, "benchmark", family)
        budget -= 3 * len(items)
        for item in items[: min(3, budget if crowd else 0)]:
            reader = _one_of(voice, crowd)
            ledger.fill(reader, clock.next_of(voice, reader, 0, days), template, item, "benchmark", family)
            budget -= 1
        number += 1


def classrooms(ledger: Ledger, voice: Voice, budget: int, days: int) -> None:
    """One task, one lesson, a room of students: nearly the same text in one burst."""
    number = 0
    while budget >= 10:
        template = short_instruction(voice)
        family = ledger.family(f"class_{number:02}", "classroom", template.text)
        zone = clock.ZONES[voice.between(0, len(clock.ZONES) - 1)]
        begin = clock.school_hour(voice, zone, days)
        given = [short_payload(voice) for _ in range(voice.between(1, 3))]
        for _ in range(min(budget, voice.between(12, 28))):
            account = ledger.account(voice, "classroom", zone=zone)
            for _ in range(min(budget, 1 + voice.chance(0.3))):
                filling = voice.pick(tuple(given)) if voice.chance(0.7) else short_payload(voice)
                ledger.fill(account, clock.burst(voice, begin, 45), template, filling, "classroom", family)
                budget -= 1
        number += 1


def organisations(ledger: Ledger, voice: Voice, budget: int, days: int) -> None:
    """Seats of one organisation with in-house templates: coordinated, and innocent."""
    number = 0
    while budget >= 20:
        org = f"org_{voice.random.getrandbits(32):08x}"
        zone = clock.ZONES[voice.between(0, len(clock.ZONES) - 1)]
        templates = [instruction(voice) for _ in range(voice.between(1, 3))]
        seats = [ledger.account(voice, "org", zone=zone, org=org) for _ in range(voice.between(3, 8))]
        for _ in range(min(budget, voice.between(30, 80))):
            seat = _one_of(voice, seats)
            time = clock.next_of(voice, seat, 0, days)
            budget -= 1
            if voice.chance(0.35):
                say_something(ledger, voice, seat, time)
                continue
            which = voice.between(0, len(templates) - 1)
            family = ledger.family(f"org_{number:02}_{which}", "org_template", templates[which].text)
            ledger.fill(seat, time, templates[which], payload(voice), "org_template", family)
        number += 1


def harness_users(ledger: Ledger, voice: Voice, budget: int, days: int, harness: Template) -> None:
    """People who work through one public harness: its long fixed prompt stands before their own words."""
    family = ledger.family(HARNESS, "shared_harness", harness.text) if budget > 0 else ""
    while budget > 0:
        account = ledger.account(voice, "harness_user", zone=clock.ZONES[voice.between(0, len(clock.ZONES) - 1)])
        for _ in range(min(budget, voice.between(5, 30))):
            time = clock.next_of(voice, account, 0, days)
            ledger.fill(account, time, harness, organic(voice), "harness", family)
            budget -= 1


def harness_prompt(voice: Voice) -> Template:
    """A long fixed prompt, as tools for programmers have."""
    parts = [instruction(voice, (4, 6)).text.replace(SLOT, "the input") for _ in range(3)]
    return Template("\n\n".join(parts) + "\n\nUser request:\n")


def _one_of(voice: Voice, accounts: list[Account]) -> Account:
    return accounts[voice.between(0, len(accounts) - 1)]
