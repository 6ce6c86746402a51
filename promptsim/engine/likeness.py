"""An account → the accounts that send from the same families and the same texts, rare ones counting for more."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from promptsim.records import Bools, Int64s
from promptsim.store.store import Store

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
    who, prompt = incidence.account_no.astype(np.int64), incidence.prompt_no
    # A thing that is sent: a family (numbers from 0), or a text by its prompt (numbers after the families').
    family_of = np.full(int(prompt.max(initial=-1)) + 1, -1, np.int64)
    inside = members.prompt_no < len(family_of)
    first = np.unique(members.prompt_no[inside], return_index=True)[1]  # main family first
    family_of[members.prompt_no[inside][first]] = members.family[inside][first]
    family = family_of[prompt]
    account = np.concatenate([who[family >= 0], who])
    thing = np.concatenate([family[family >= 0], prompt + len(names)])
    pairs = np.unique(account << 40 | thing)
    return _closest(store, pairs >> 40, pairs & ((1 << 40) - 1), account_no, len(names), names, k)


def _closest(
    store: Store, account: Int64s, thing: Int64s, account_no: int, families: int, names: list[str], k: int
) -> list[Neighbour]:
    users = np.bincount(thing)
    weight = np.log1p(float(account.max(initial=0) + 1) / np.maximum(users, 1)) ** 2
    norm = np.sqrt(np.bincount(account, weights=weight[thing]))
    mine: Bools = np.zeros(len(users), np.bool_)
    mine[thing[account == account_no]] = True
    shared = mine[thing] & (account != account_no)
    score = np.bincount(account[shared], weights=weight[thing[shared]], minlength=len(norm))
    found = np.flatnonzero(score)
    score = score / np.maximum(norm * norm[account_no], 1e-12)
    order = found[np.lexsort((found, -score[found]))][:k]
    ids = dict(zip(order.tolist(), store.accounts(order), strict=True))
    result = []
    for number in order.tolist():
        things = thing[shared & (account == number)]
        families_shared = [names[i] for i in things[things < families].tolist() if i < len(names)]
        texts = int((things >= families).sum())
        similarity = min(1.0, float(score[number]))
        result.append(Neighbour(ids[number], similarity, tuple(sorted(families_shared)[:MOST_SHARED]), texts))
    return result
