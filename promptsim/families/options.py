"""MineOptions: every parameter of mining with its reason. Read by all stages of the families room."""

from __future__ import annotations

from dataclasses import dataclass

RULES = "6"  # of mining: families found by other rules are not extended but mined anew


@dataclass(frozen=True, slots=True)
class MineOptions:
    """Parameters of `mine`; the defaults are what the measured tables in docs stand on."""

    # --- what is repeated
    shingle: int = 5  # tokens in a shingle: 3 joins chance, 8 misses short instructions (0.85, 0.96, 0.90 for 3, 5, 8)
    anchored: int = 3  # tokens of a shingle at a line's start or end, where short instructions stand
    support: int = 5  # prompts (and distinct surroundings) that make a repeat: the smallest family reported
    upheld: float = 0.6  # share of the prompts that match a skeleton which suffices where a heavier one has the others
    # --- what belongs together
    link: float = 0.8  # mutual containment of two posting lists that makes them one class
    present: float = 0.7  # share of a class's shingles that a prompt must hold to have the class
    closure: float = 0.8  # share of a class's prompts that must hold another class for it to belong
    accept: float = 0.8  # share of a skeleton that a prompt must hold to be its member
    consensus: float = 0.8  # share of members that must hold a shingle for it to stay in the skeleton
    rounds: int = 2  # consensus rounds: the second changes little, a third nothing
    # --- evidence
    evidence: float = 30.0  # fixed tokens × members that a family needs beyond those
    added: float = 20.0  # fixed tokens × members that a child must add to its parent
    chance: float = 2.0  # fixed tokens that recur by chance
    reference: float = 1e6  # prompts of which the two are true; among fewer, less recurs by chance
    phrase: float = 16.0  # fixed tokens below which what stands at no line's start or end is a turn of phrase …
    often: float = 0.001  # … unless this share of all prompts has it: few turns of phrase are so frequent …
    often_least: int = 100  # … and at least so many
    lightest: float = 2.5  # fixed tokens below which nothing is claimed: two words and a colon are something
    begun: float = 3.5  # … or of what breaks off within a sentence: many begin with the same three words
    edge: float = 2.0  # fixed tokens that standing at the beginning or the end of all its prompts is worth as evidence
    twin: float = 1.0  # fixed tokens, or a quarter of the parent's, by which a child must differ from it at all
    extra: float = 5.0  # fixed tokens that a child must add: less is the first words of a payload …
    relative: float = 0.25  # … or this share of the parent's own, where that is less …
    direct: float = 0.1  # … if the parent has this share of its prompts to itself; else it is what its children share
    slice: float = 0.5  # children with a smaller share count as its own: they are what stands in its slot
    opening: float = 3.0  # fixed tokens, less than which say little even of a short parent …
    opening_relative: float = 0.75  # … and less than this share of the parent's own …
    opening_slice: float = 0.35  # … in a child with a smaller share of its parent's prompts …
    opening_direct: float = 0.3  # … while at least this share is the parent's own
    field: float = 0.2  # share of a form's prompts that have one more field (or some in a row), and that have none
    reordered: float = 0.1  # share of a form's prompts that have its fields in another order: no slot makes that
    formed: float = 0.9  # share of a text's prompts that few forms have together: else its payload is full of forms
    fragment: float = 0.15  # a child with a smaller share of its parent's prompts …
    fragment_direct: float = 0.3  # … while at least this share is the parent's own, is payload stuck to the parent
    # --- payload that shows in the hierarchy
    strewn: float = 0.5  # times the prompts that are made from it: a phrase that so many of heavier skeletons hold …
    strewn_share: float = 0.1  # … each of which holds it in a smaller share of its prompts
    document: float = 0.25  # share of its prompts' tokens from which a skeleton may be a document (or `payload_bulk`) …
    instructions: int = 2  # … that stands under so many skeletons, each in at most `payload_overlap` of its prompts …
    instructed: float = 0.5  # … and in this share of them together
    frame: float = 4.0  # fixed tokens of each of `payload_partners` skeletons that frame it: people begin with less
    # --- repair: prompts with typing errors or changed words
    doubt: float = 0.05  # share of a skeleton's shingles from which alignment is tried
    aligned: float = 0.5  # share of its fixed tokens, in order and in runs, that makes a member
    aligned_weight: float = 6.0  # fixed tokens that must be aligned at least: fewer meet by chance
    akin: float = 0.5  # share of a skeleton's text that stands in another's: to leave the one for the other …
    akin_margin: float = 1.3  # … the other must say so much more
    max_aligned: int = 20_000  # tokens of a prompt that is aligned
    # --- splinters: a fixed text that was changed in every copy is found in pieces
    splinter: float = 0.5  # share of what two skeletons have beyond each other that the other's prompts hold …
    splinter_beyond: int = 4  # … of at least so many tokens: fewer say nothing either way
    splinter_met: float = 0.25  # share of a skeleton's prompts that hold a shingle of another: the two are compared
    splinter_sample: int = 16  # prompts of a skeleton that are compared, the first by content …
    splinter_glance: int = 4  # … after so many that show which pairs are worth it
    max_splinters: int = 32  # skeletons that one is compared with, those it meets most often, and joined with
    # --- payload: a document that stands under several instructions
    payload_cover: float = 0.8
    payload_cover_many: float = 0.6
    payload_partners: int = 3
    payload_overlap: float = 0.6
    payload_distinct: float = 0.5
    payload_shortest: int = 2
    payload_lightest: float = 3.0  # fixed tokens of what a document can stand under: payloads begin with less
    payload_phrase: int = 6  # shingles (ten tokens) from which even text within a line is no mere turn of phrase
    payload_own: float = 0.8  # distinct surroundings for each prompt from which it is a template …
    payload_bulk: float = 0.5  # … unless it is so much of its prompts
    # --- near-duplicates: what no skeleton explains
    near: float = 0.7  # share of the tokens of two prompts that stand in the same order
    max_near: int = 4_000  # tokens of a prompt that is compared
    # --- exact copies
    exact_accounts: int = 3  # accounts that sent one text which is in no other family …
    swallows: float = 0.7  # … or only in one so commonplace (six fixed tokens): what they have in common is that text
    # --- commonplace
    commonplace: float = 0.5  # from here a fixed text joins no other wording
    # --- a run over what is new
    covered: int = 0  # prompts of lower numbers were looked at before, among all the others
    # --- bounds: each is counted in `cuts` when it bites
    max_tokens: int = 20_000  # of one prompt: three quarters from its start, one from its end
    max_classes: int = 256  # of one prompt, the longest first
    max_pairs: int = 24_000_000  # meetings of two classes in a prompt; a lower max_classes is taken to stay below
    max_prompts: int = (
        1_000_000  # mined at once: of more a sample, some of what it explains, and in parts what it leaves
    )
    inspected: int = 64  # members of a family whose text is read for its template, the first by content …
    read: int = 2_000_000  # … fewer where so many texts would be read in all, but always enough to tell what is fixed
    recalled: int = 50_000  # earlier prompts without a skeleton that a run after new ones mines again, at least
