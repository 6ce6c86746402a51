"""An account → the accounts that send from the same families and the same texts: the cosine of what they send.

What is sent is a family, or a text of no family that somebody else sends too. It weighs 1 + ln n for an account that
sends it n times, times the logarithm of how rare it is among accounts. A text that one account alone sends says nothing
of likeness: with those in it, whoever sends much of their own would be like nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from promptsim.records import Int64s, Members
from promptsim.store.store import Store

Doubles = npt.NDArray[np.float64]
MOST_SHARED = 20  # families named for one account


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An account like the one asked about: cosine of what they send, and what that rests on."""

    account_id: str
    similarity: float
    shared_family_ids: tuple[str, ...]
    shared_prompts: int


def neighbours(store: Store, account_id: str, *, k: int) -> list[Neighbour]:
    """The k accounts that share the most telling families and texts with one; NotFoundError if it is not known."""
    with store.snapshot():
        account_no = store.account(account_id).account_no
        incidence, members = store.incidence(), store.members()
        names = store.family_ids()
    who, prompt = incidence.account_no.astype(np.int64), incidence.prompt_no.astype(np.int64)
    thing = _things(prompt, members, len(names))
    pairs, place = np.unique(who << 40 | thing, return_inverse=True)
    sent: Doubles = np.bincount(place, weights=incidence.events).astype(np.float64)
    account, thing = pairs >> 40, pairs & ((1 << 40) - 1)
    score = _cosines(account, thing, sent, account_no)
    found = np.flatnonzero(score)
    best = found[np.lexsort((found, -score[found]))][:k]
    ids = dict(zip(best.tolist(), store.accounts(best), strict=True))
    families, texts = thing[account == account_no], prompt[who == account_no]
    families = families[families < len(names)]
    result = []
    for number in best.tolist():
        shared = np.intersect1d(thing[account == number], families).tolist()
        alike = len(np.intersect1d(prompt[who == number], texts))
        named = tuple(sorted(names[i] for i in shared)[:MOST_SHARED])
        result.append(Neighbour(ids[number], min(1.0, float(score[number])), named, alike))
    return result


def _things(prompt: Int64s, members: Members, families: int) -> Int64s:
    """What each send is: its main family (numbers from 0), else its text (numbers after the families')."""
    family_of = np.full(int(prompt.max(initial=-1)) + 1, -1, np.int64)
    inside = members.prompt_no < len(family_of)
    first = np.unique(members.prompt_no[inside], return_index=True)[1]  # main family first
    family_of[members.prompt_no[inside][first]] = members.family[inside][first]
    return np.where(family_of[prompt] >= 0, family_of[prompt], prompt + families)


def _cosines(account: Int64s, thing: Int64s, sent: Doubles, account_no: int) -> Doubles:
    """The cosine of every account with one; 0 for itself and for who shares nothing with it."""
    users, accounts = np.bincount(thing), int(account.max(initial=account_no)) + 1
    common = users[thing] > 1
    account, thing, sent = account[common], thing[common], sent[common]
    weight = (1 + np.log(sent)) * np.log1p(accounts / users[thing])
    mine = np.zeros(len(users))
    mine[thing[account == account_no]] = weight[account == account_no]
    norm = np.sqrt(np.bincount(account, weights=weight * weight, minlength=accounts))
    score = np.bincount(account, weights=weight * mine[thing], minlength=accounts)
    score[account_no] = 0.0
    cosines: Doubles = score / np.maximum(norm * norm[account_no], 1e-12)
    return cosines
