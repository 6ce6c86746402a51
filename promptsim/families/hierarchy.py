"""Closures → which of them stand as skeletons: each prompt to its heaviest match, empty children folded away.

Seventh stage of `mine`. A wrapper inside a wrapper stays when the inner one adds evidence; a closure that only repeats
its parent with a little payload stuck to it goes, and its prompts fall back to the parent. What the prompts are made
from then shows more payload: phrases strewn over many skeletons, documents under several.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from promptsim.families.chance import chance_scale, least_weight
from promptsim.families.options import MineOptions
from promptsim.families.skeletons import Closures
from promptsim.records import Bools, Floats, Int32s, Int64s

ROUNDS = 32  # of folding; few prompts move after the third


@njit(cache=True, nogil=True)
def heaviest(prompt, skeleton, weight, stands, n_prompts):  # type: ignore[no-untyped-def]
    """The standing skeleton of greatest weight that each prompt matches; -1: none. Equal weights: the lower number."""
    best = np.full(n_prompts, -1, np.int32)
    for j in range(len(prompt)):
        p, s = prompt[j], skeleton[j]
        if not stands[s]:
            continue
        b = best[p]
        if b < 0 or weight[s] > weight[b] or (weight[s] == weight[b] and s < b):
            best[p] = s
    return best


def parents(found: Closures, stands: Bools, options: MineOptions) -> Int32s:
    """For each closure the heaviest other standing closure that lies inside it and has more prompts; -1: none."""
    child = np.repeat(np.arange(len(found), dtype=np.int32), np.diff(found.of))
    inner = found.part
    inside = (inner != child) & stands[inner] & (found.prompts[inner] > found.prompts[child])
    # the closure of an inner class may hold what the child does not, and is no part of it then
    inside &= options.closure * found.weight[inner] <= found.weight[child]
    child, inner = child[inside], inner[inside]
    order = np.lexsort((-inner, found.weight[inner], child))
    out = np.full(len(found), -1, np.int32)
    out[child[order]] = inner[order]  # the last one written is the heaviest
    return out


def _enough(found: Closures, prompts: Int64s, among: int, options: MineOptions) -> Bools:
    """Which closures so many prompts would be enough for; none are for three words in a sentence."""
    least = least_weight(prompts, found.anchored, among, options)
    enough: Bools = (found.evidence >= least) & (prompts >= options.support)
    enough &= ~found.breaks_off | (found.weight >= options.begun)
    return enough


def upheld(own: Int64s, matched: Int64s, edges: Floats, options: MineOptions) -> Bools:
    """Which skeletons have prompts enough, `own` of the `matched`: as many as support a repeat, or most of so many.

    One prompt in a few has something in its payload that recurs and is heavier; a family of five would not live to see
    it. Only what stands at an end of its texts can be what frames them; the rest is such payload itself.
    """
    least = np.where(edges > 0, np.minimum(options.support, options.upheld * matched), options.support)
    enough: Bools = (matched >= options.support) & (own >= least)
    return enough


def standing(found: Closures, prompt: Int32s, skeleton: Int32s, seen: Bools, options: MineOptions) -> Int32s:
    """Of the closures that stand the one that each prompt goes to; -1: none.

    `seen` marks prompts that an earlier run looked at, among all the others: what they would make by themselves it has
    made, or it knew better. A phrase that stands here and there looks like a template beside what is left over.
    """
    n_prompts = len(seen)
    stands = _enough(found, found.prompts, n_prompts, options)
    stands &= ~_enough(found, np.bincount(skeleton[seen[prompt]], minlength=len(stands)), n_prompts, options)
    if not stands.any():
        return np.full(n_prompts, -1, np.int32)
    held = stands[skeleton]
    number = (np.cumsum(stands) - 1).astype(np.int32)[skeleton[held]]
    best = _beside_each_other(found.only(stands), prompt[held], number, n_prompts, options)
    return np.append(np.flatnonzero(stands), -1)[best].astype(np.int32)


def _beside_each_other(
    found: Closures, prompt: Int32s, skeleton: Int32s, n_prompts: int, options: MineOptions
) -> Int32s:
    """The same of closures that are enough by themselves."""
    stands = np.ones(len(found), np.bool_)
    best: Int32s = heaviest(prompt, skeleton, found.weight, stands, n_prompts)
    for _ in range(ROUNDS):
        direct = np.bincount(best[best >= 0], minlength=len(stands))
        parent = parents(found, stands, options)
        gone = stands & _folded(found, direct, parent, n_prompts, options)
        gone |= _same_words(found, prompt, skeleton, parent, stands, options)
        gone &= ~gone[parent]  # a parent that goes first leaves its child to be compared with the next one
        if not gone.any():
            gone = _payload_of_others(found, prompt, skeleton, stands, best, options)
        if not gone.any():  # only then what is left empty: a parent may be waiting for its children's prompts
            gone = stands & ~upheld(direct, found.prompts, found.edges, options)
        if not gone.any():
            break
        stands &= ~gone
        best = heaviest(prompt, skeleton, found.weight, stands, n_prompts)
    return best


def _folded(found: Closures, direct: Int64s, parent: Int32s, among: int, options: MineOptions) -> Bools:
    """Children that add too little to their parent.

    A few tokens more are a wording of its own if such children share the parent out among them; if the parent keeps
    prompts to itself, or many small children split it, they are the first words of what stands in its slot. One or two
    words of a minor child are that beside the shortest parent. The name of one more field is no first word.
    """
    has = parent >= 0
    total = np.maximum(found.prompts[parent], 1)
    extra = found.weight - np.where(has, found.weight[parent], 0)
    little = has & (extra < np.minimum(options.extra, options.relative * found.weight[parent]))
    opening = has & (extra < np.minimum(options.opening, options.opening_relative * found.weight[parent]))
    opening &= (found.prompts < options.opening_slice * total) & (direct[parent] >= options.opening_direct * total)
    little |= opening
    little &= ~_fields(found, direct, parent, little, options)
    own = _with_small(direct, parent, little & (found.prompts < options.slice * total))
    slotted = own[parent] >= np.maximum(options.support, options.direct * total)
    fragment = has & (found.prompts < options.fragment * total) & (found.weight[parent] >= 0.5 * found.weight)
    # but where the parent has little to itself, what has other text around it each time is a template in a common frame
    framed = (found.varied >= options.payload_own) & (extra >= options.extra)
    fragment &= ~framed | (direct[parent] >= options.fragment_direct * total)
    fragment &= _with_small(direct, parent, fragment)[parent] >= options.fragment_direct * total
    nothing = extra < np.minimum(options.twin, 0.25 * found.weight[parent])
    nothing |= extra < chance_scale(among, options) * options.added / np.maximum(found.prompts, 1)
    result: Bools = has & (fragment | (little & slotted) | nothing)
    return result


def _same_words(
    found: Closures, prompt: Int32s, skeleton: Int32s, parent: Int32s, stands: Bools, options: MineOptions
) -> Bools:
    """Children that say the same words as others, with which they have (nearly) all prompts of their parent.

    They differ in the marks that stand beside a slot, or in their order, and what they say is the parent's: prompts
    with some other mark, or something of their payload beside it, hold the parent only. Each has prompts of its own:
    several closures of one text, which grew from different parts of it, are one child.
    """
    n = len(stands)
    child = np.flatnonzero(stands & (parent >= 0))
    key = found.words[child] + parent[child].astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    _, kin = np.unique(key, return_inverse=True)
    total = found.prompts[parent[child]]
    most = np.zeros(n, np.int64)
    np.maximum.at(most, kin, found.prompts[child])
    together = np.bincount(kin, weights=found.prompts[child], minlength=n)
    may = (together[kin] >= options.closure * total) & (most[kin] <= (1 - options.field) * total)
    of = np.full(n, -1, np.int64)
    of[child[may]] = kin[may]
    held = of[skeleton] >= 0
    width = int(prompt.max(initial=0)) + 1
    either = np.unique(of[skeleton[held]] * width + prompt[held])
    between = np.bincount(either // width, minlength=n)
    may &= (between[kin] >= options.closure * total) & (between[kin] - most[kin] >= options.field * total)
    result = np.zeros(n, np.bool_)
    result[child] = may
    return result


def _fields(found: Closures, direct: Int64s, parent: Int32s, little: Bools, options: MineOptions) -> Bools:
    """Children that have one more field than their parent: a form with an optional part, such as a list of choices.

    Many have it and many do not. Where some have one name and some another, they are what stands in a slot.
    """
    total = found.prompts[parent]
    more = (parent >= 0) & (found.names > found.names[parent]) & (found.prompts >= options.field * total)
    more &= direct > 0
    single = np.bincount(parent[more], minlength=len(parent))[parent] == 1
    without = _with_small(direct, parent, little & ~more)[parent]
    result: Bools = more & single & (without >= options.field * total)
    return result


def _with_small(direct: Int64s, parent: Int32s, small: Bools) -> Int64s:
    """Prompts that each skeleton has to itself, those of its `small` children counted in."""
    own = direct.copy()
    np.add.at(own, parent[small], direct[small])
    return own


def _payload_of_others(
    found: Closures, prompt: Int32s, skeleton: Int32s, stands: Bools, best: Int32s, options: MineOptions
) -> Bools:
    """Closures that are payload after all, by what else their prompts match.

    A phrase stands here and there in what heavier skeletons explain: each has it in few of its prompts. One that has it
    in all of them and says little more is made from it: a text that has a mark of its payload beside it. A document is
    the heaviest match of its prompts, but they match instructions as well, some this and some that, which stand in more
    prompts than it does; and it is much of them, or most if each has another text besides: that may be a template which
    is asked the same questions. Where it stands at no end of its prompts, here and there in what several others frame,
    it is payload of theirs however little it is. Phrases go first, or they would pass for instructions.
    """
    n = len(stands)
    own = np.bincount(best[best >= 0], minlength=n)
    met = np.bincount(skeleton, minlength=n)
    beside = stands[skeleton] & (best[prompt] != skeleton)
    at = prompt[beside]
    pair, place, count = np.unique(
        skeleton[beside].astype(np.int64) * n + best[at], return_inverse=True, return_counts=True
    )
    lighter, heavier = np.divmod(pair, n)
    here_and_there = count < options.strewn_share * own[heavier]
    elsewhere = np.bincount(lighter[here_and_there], weights=count[here_and_there], minlength=n)
    throughout = count >= options.closure * own[heavier]
    throughout &= found.weight[heavier] < found.weight[lighter] + options.extra
    made = own + np.bincount(lighter[throughout], weights=count[throughout], minlength=n)
    strewn: Bools = stands & (elsewhere >= options.strewn * np.maximum(made, 1))
    light = (found.edges == 0) & (found.weight < options.payload_lightest)
    strewn &= light | (elsewhere >= options.strewn_share * met)  # few of them are what may happen to an instruction
    if strewn.any():
        return strewn
    over_more = (count <= options.payload_overlap * own[heavier]) & (met[lighter] >= own[heavier])
    over_more &= found.weight[lighter] >= options.payload_lightest
    several = np.bincount(heavier[over_more], minlength=n) >= options.instructions
    instructed = np.bincount(best[np.unique(at[over_more[place]])], minlength=n)
    document: Bools = stands & several & (instructed >= options.instructed * own)
    document &= found.bulk >= np.where(found.varied < options.payload_own, options.document, options.payload_bulk)
    few = (options.payload_partners * count <= own[heavier]) & (count <= options.strewn_share * met[lighter])
    few &= found.weight[lighter] >= options.frame
    several = np.bincount(heavier[few], minlength=n) >= options.payload_partners
    framed = np.bincount(best[np.unique(at[few[place]])], minlength=n)
    document |= stands & several & (found.edges == 0) & (framed >= options.instructed * own)
    return document
