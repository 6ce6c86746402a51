"""Mine families in labelled prompts and say how well they agree with the labels.

    scripts/evaluate FILE [--background FILE --take N] [--split FIELD] [--join auto|none|FILE] [--fill SIZES]
                          [--change SHARE] [--model NAME] [--json]

FILE is JSON lines, plain or gzipped, with "text" (or "messages") and "label" (null or absent: a stranger); "account_id"
is used if it is there, else each line is an account of its own. docs/evaluation.md says what the figures mean.

    example: scripts/evaluate labelled.jsonl.gz --background others.jsonl.gz --take 20000 --split dataset
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import random
import re
import resource
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from promptsim.evaluate import bcubed, coded, contamination, found_by_size, identical_splits
from promptsim.families.alignment import Sequences, align, place, sequences
from promptsim.families.mine import mine
from promptsim.families.template import Floats64, Template, extract, joined
from promptsim.families.wordings import Encode
from promptsim.records import DocumentBatch, Incidence, Int64s, UInt64s
from promptsim.text.canonical import canonical
from promptsim.text.tokens import NUMBER, WORD

BATCH = 50_000
SHOWN = 96  # members of a label read for its fixed text, where labels are joined
SHORTEST = 4  # words of fixed text of a template that is filled anew
LEAST_WORDS = 3  # that the prompts of a label share, or there is nothing to find it by
OTHERS = 3_000  # strangers whose words stand in place of changed ones
WORDS = r"[^\W\d_]+"
HELD_BY = 0.95  # of the prompts of a label hold a word of its fixed text: its template has it in every one
SAME_TEXT = 0.95  # of the words of two labels' fixed texts stand in one alignment: they are one label


@dataclass(frozen=True)
class Line:
    system: str
    user: str
    label: str | None
    account: str
    part: str


def main() -> int:
    options = arguments()
    lines = list(read(options.file, options.split))
    if not lines:
        print(f"{options.file}: no lines with text", file=sys.stderr)
        return 2
    strangers = sampled(list(read(options.background, None, labelled=False)) if options.background else [], None)
    others, unused = strangers[: options.take], strangers[len(strangers[: options.take]) :]
    names = joined_labels(lines, options.join)
    encode = encoder(options.model)
    if options.fill and not unused:
        print("--fill takes text of strangers that --take leaves: give --background and --take", file=sys.stderr)
        return 2
    chosen = filled(lines, names, unused, options.fill, options.change) if options.fill else parts(lines, options.split)
    worded = with_text(lines, names)
    reports = [evaluated(part, some, others, names, worded, encode) for part, some in chosen]
    if options.json:
        print(json.dumps({"file": options.file.name, "join": options.join, "parts": reports}, indent=1))
    else:
        print("\n\n".join(table(report) for report in reports))
        if options.fill:
            print("\n" + all_draws(reports))
    return 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--background", type=Path, metavar="FILE", help="JSON lines of strangers to mix in")
    parser.add_argument("--take", type=int, metavar="N", help="so many of them, chosen by content (default: all)")
    parser.add_argument("--split", metavar="FIELD", help="also evaluate two halves apart, by the values of this field")
    parser.add_argument("--join", default="auto", help="labels with one fixed text are one: auto (default), none, or a "
                        "file with the labels of one group a line, separated by tabs")  # fmt: skip
    parser.add_argument("--fill", type=sizes, metavar="SIZES", help="instead of the lines mine each label's template, "
                        "filled with text of strangers: 5,8,20 times in turn, every label once with each")  # fmt: skip
    parser.add_argument("--change", type=float, default=0.0, metavar="SHARE", help="with --fill: so many words of the "
                        "template are others in each copy, taken from strangers (default: 0)")  # fmt: skip
    parser.add_argument("--model", help="sentence-transformers model for the second level (default: the first only)")
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


# ---------------------------------------------------------------- what is read
def read(path: Path, field: str | None, labelled: bool = True) -> Iterator[Line]:
    """Lines with text; the same text in one line or in messages is the same."""
    with gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb") as handle:
        for number, raw in enumerate(handle):
            row = json.loads(raw)
            roles = {"system": "", "user": row.get("text", "")}
            for message in row.get("messages", ()):
                if message["role"] in roles:
                    roles[message["role"]] += ("\n\n" if roles[message["role"]] else "") + message["content"]
            system, user = canonical(roles["system"]), canonical(roles["user"])
            label = row.get("label") if labelled else None
            account = str(row.get("account_id", f"{path.name}:{number}"))
            if system or user:
                yield Line(system, user, None if label is None else str(label), account, str(row.get(field, "")))


def digest(*parts: str) -> bytes:
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "replace"), digest_size=8).digest()


def sampled(lines: list[Line], take: int | None) -> list[Line]:
    """The first `take` by a hash of their text."""
    return sorted(lines, key=lambda line: digest(line.system, line.user))[:take]


def parts(lines: list[Line], field: str | None) -> list[tuple[str, list[Line]]]:
    """All lines, and with a field two halves of its values, told by hash: no value is in both."""
    out = [("all", lines)]
    if field:
        order = sorted({line.part for line in lines}, key=digest)
        first = set(order[: len(order) // 2])
        out.append((f"first half by {field}", [line for line in lines if line.part in first]))
        out.append((f"second half by {field}", [line for line in lines if line.part not in first]))
    return out


# ---------------------------------------------------------------- templates filled anew
def sizes(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split(","))


def filled(
    lines: Sequence[Line],
    names: Mapping[str, str],
    strangers: Sequence[Line],
    counts: tuple[int, ...],
    change: float,
) -> Iterator[tuple[str, list[Line]]]:
    """Prompts made from the labels' templates and one to four sentences of strangers in each slot: nothing is shared
    but the template, of which the share `change` of the words is replaced in each prompt. Templates of four words and
    more; in draw k label i has the size i + k, in turn.
    """
    templates = {}
    for name, members in members_of(lines, names).items():
        text = extract(members, sample=SHOWN).text
        if "{1}" in text and len(fixed_words(members)) >= SHORTEST:
            templates[name] = text
    for draw in range(len(counts)):
        yield f"filled, draw {draw + 1}", drawn(templates, strangers, counts[draw:] + counts[:draw], draw, change)


def drawn(
    templates: Mapping[str, str], strangers: Sequence[Line], counts: Sequence[int], seed: int, change: float
) -> list[Line]:
    rng = random.Random(seed)
    words = [word for line in strangers[:OTHERS] for word in re.findall(WORDS, line.user)]
    made = []
    for i, (name, template) in enumerate(templates.items()):
        for j in range(counts[i % len(counts)]):
            text = changed(rng, template, words, change) if change else template
            text = re.sub(r"\{\d+\}", lambda _: sentences(rng, strangers), text)
            made.append(Line("", canonical(text.replace("{{", "{").replace("}}", "}")), name, f"{name}:{j}", ""))
    return made


def changed(rng: random.Random, template: str, words: Sequence[str], share: float) -> str:
    """A template with other words in place of a share of its own."""
    return re.sub(WORDS, lambda own: rng.choice(words) if rng.random() < share else own[0], template)


def sentences(rng: random.Random, strangers: Sequence[Line]) -> str:
    """One to four sentences in a row of a stranger's prompt, braces doubled as in a template."""
    while True:
        parts = re.split(r"(?<=[.!?])\s+", rng.choice(strangers).user)
        first = rng.randrange(len(parts))
        text = " ".join(parts[first : first + rng.randint(1, 4)]).strip()
        if 15 < len(text) < 600:
            return text.replace("{", "{{").replace("}", "}}")


def all_draws(reports: Sequence[Mapping[str, Any]]) -> str:
    """How many labels of each size were found in all draws together."""
    total: dict[int, list[int]] = {}
    for report in reports:
        for row in report["found_by_size"]:
            mine = total.setdefault(row["least"], [0, 0])
            mine[0] += row["found"]
            mine[1] += row["labels"]
    parts = [f"{least}: {found}/{of} ({found / of:.2f})" for least, (found, of) in total.items() if of]
    mean = sum(report["bcubed"]["f1"] for report in reports) / len(reports)
    return f"all draws: B-cubed F1 {mean:.3f}; found by least size {', '.join(parts)}"


def encoder(model: str | None) -> Encode | None:
    if model is None:
        return None
    from promptsim.encode.encoder import open_encoder

    return open_encoder(model).encode


# ---------------------------------------------------------------- labels with one fixed text
def joined_labels(lines: Sequence[Line], how: str) -> Mapping[str, str]:
    """Each label and the name that it is scored under."""
    labels = sorted({line.label for line in lines if line.label is not None})
    if how == "none":
        return {label: label for label in labels}
    if how != "auto":
        groups = [row.split("\t") for row in Path(how).read_text(encoding="utf-8").splitlines() if row]
        return {label: label for label in labels} | {label: group[0] for group in groups for label in group}
    words = [fixed_words(some) for some in members_of(lines, {label: label for label in labels}).values()]
    name = dict(zip(labels, labels, strict=True))
    for i, label in enumerate(labels):
        for j in range(i):
            if name[labels[j]] == labels[j] and alike(words[i], words[j]) >= SAME_TEXT:
                name[label] = labels[j]
                break
    return name


def with_text(lines: Sequence[Line], names: Mapping[str, str]) -> frozenset[str]:
    """Names whose prompts share at least three words: of the others nothing can be found by its fixed text."""
    return frozenset(name for name, some in members_of(lines, names).items() if len(fixed_words(some)) >= LEAST_WORDS)


def members_of(lines: Sequence[Line], names: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """Some prompts of each name, by a hash of their text; names in ascending order."""
    members: dict[str, list[tuple[str, str]]] = {name: [] for name in sorted(set(names.values()))}
    for line in sampled([line for line in lines if line.label is not None], None):
        kept = members[names[str(line.label)]]
        if len(kept) < SHOWN:
            kept.append((line.system, line.user))
    return members


def fixed_words(members: Sequence[tuple[str, str]]) -> UInt64s:
    """The words of the fixed text that nearly all members of a label hold where they belong.

    A template's own words stand in all of its prompts. What most of them share besides comes from their documents,
    which are few for some labels.
    """
    template = extract(members, sample=SHOWN)
    body = sequences([joined(*member) for member in members])
    words = np.isin(template.fixed, body.hashes[np.isin(body.kinds, (WORD, NUMBER))])
    return template.fixed[words & (in_place(template, body) >= HELD_BY)]


def in_place(template: Template, body: Sequences) -> Floats64:
    """The share of some texts that has each fixed token beside a neighbour of its run; one alone only has to follow."""
    runs = template.runs
    at = place(template.fixed, runs, len(runs) - 1 not in template.slot_gaps, body.hashes, body.offsets)
    held = np.zeros(len(template.fixed))
    for first, last in pairwise(runs.tolist()):
        there = at[:, first:last] >= 0
        joint = there[:, 1:] & there[:, :-1] & (np.diff(at[:, first:last]) == 1)
        beside = np.pad(joint, ((0, 0), (1, 1)))
        held[first:last] = (there & (beside[:, 1:] | beside[:, :-1] | (last - first == 1))).mean(axis=0)
    return held


def alike(a: UInt64s, b: UInt64s) -> float:
    if not len(a) or not len(b) or 2 * min(len(a), len(b)) < SAME_TEXT * (len(a) + len(b)):
        return 0.0
    return 2.0 * float((align(a, b) >= 0).sum()) / (len(a) + len(b))


# ---------------------------------------------------------------- mining and counting
def mined(lines: Sequence[Line], encode: Encode | None) -> tuple[Int64s, Int64s, dict[str, int]]:
    """The main family of each line, its text as a number, and what was cut."""
    texts = sorted({(line.system, line.user) for line in lines})
    number = {text: i for i, text in enumerate(texts)}
    prompt = np.array([number[line.system, line.user] for line in lines], np.int64)
    account = coded([line.account for line in lines])
    pair, events = np.unique(prompt * (account.max() + 1) + account, return_counts=True)
    incidence = Incidence(
        pair // (account.max() + 1), (pair % (account.max() + 1)).astype(np.int32), events.astype(np.int32),
        np.zeros(len(pair), np.int64), np.zeros(len(pair), np.int64),
    )  # fmt: skip

    def documents() -> Iterator[DocumentBatch]:
        for first in range(0, len(texts), BATCH):
            batch = texts[first : first + BATCH]
            numbers = np.arange(first, first + len(batch), dtype=np.int64)
            yield DocumentBatch(numbers, tuple(s for s, _ in batch), tuple(u for _, u in batch))

    found = mine(documents, incidence, encode=encode)
    family = np.full(len(texts), -1, np.int64)
    rows = found.members.prompt_no[::-1]
    family[rows] = found.members.family[::-1]  # backwards, so that a prompt's first row, its main family, stays
    return family[prompt], prompt, dict(found.cuts)


def evaluated(
    part: str,
    lines: Sequence[Line],
    others: Sequence[Line],
    names: Mapping[str, str],
    worded: frozenset[str],
    encode: Encode | None,
) -> dict[str, object]:
    everything = [*lines, *others]
    start, busy = time.perf_counter(), time.process_time()
    found, text, cuts = mined(everything, encode)
    seconds, cpu = time.perf_counter() - start, time.process_time() - busy
    true = coded([None if line.label is None else names[line.label] for line in everything])
    findable = np.array([line.label is not None and names[line.label] in worded for line in everything], np.bool_)
    text_score = bcubed(found, true, findable)
    score, strange, splits = bcubed(found, true), contamination(found, true), identical_splits(found, text)
    return {
        "part": part,
        "prompts": len(lines),
        "labels": len({line.label for line in lines} - {None}),
        "labels_joined": int(true.max(initial=-1)) + 1,
        "background": len(others),
        "families": len(np.unique(found[found >= 0])),
        "bcubed": {"precision": score.precision, "recall": score.recall, "f1": score.f1},
        "with_fixed_text": {
            "labels": len(np.unique(true[findable])),
            "precision": text_score.precision,
            "recall": text_score.recall,
            "f1": text_score.f1,
        },
        "assigned": float((found[true >= 0] >= 0).mean()) if (true >= 0).any() else 0.0,
        "found_by_size": [
            {"least": c.least, "below": c.below, "labels": c.groups, "found": c.found, "share": c.share}
            for c in found_by_size(found, true)
        ],
        "strangers_in_families": {"share": strange.share, "intrusion": strange.intrusion},
        "identical_texts": {"groups": splits.groups, "split": splits.split},
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "cuts": cuts,
    }


def table(report: dict[str, object]) -> str:
    """A report as people read it."""
    r: dict = report
    text = r["with_fixed_text"]
    score, strange, same = r["bcubed"], r["strangers_in_families"], r["identical_texts"]
    classes = []
    for c in r["found_by_size"]:
        name = f"{c['least']}+" if c["below"] is None else f"{c['least']}-{c['below'] - 1}"
        classes.append(f"{name}: {c['found']}/{c['labels']}" + (f" ({c['share']:.2f})" if c["labels"] else ""))
    return "\n".join(
        [
            f"{r['part']}: {r['prompts']:,} prompts of {r['labels']} labels ({r['labels_joined']} after joining), "
            f"{r['background']:,} strangers → {r['families']:,} families",
            f"  B-cubed     P {score['precision']:.3f}  R {score['recall']:.3f}  F1 {score['f1']:.3f}"
            f"  ({r['assigned']:.1%} assigned)",
            f"  with text   P {text['precision']:.3f}  R {text['recall']:.3f}  F1 {text['f1']:.3f}"
            f"  ({text['labels']} labels whose prompts share three words)",
            f"  found       {', '.join(classes)}",
            f"  strangers   {strange['share']:.2%} with labelled prompts, intrusion {strange['intrusion']:.2%}",
            f"  identical   {same['split']} of {same['groups']:,} repeated texts split",
            f"  cost        {r['seconds']:.1f} s ({r['cpu_seconds']:.1f} s CPU), peak {r['peak_mb']:,} MB"
            + (f"; cut: {r['cuts']}" if r["cuts"] else ""),
        ]
    )


if __name__ == "__main__":
    raise SystemExit(main())
