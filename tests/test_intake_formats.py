"""Sources → batches: containers, detection, mapping, rejections with their place, and bounded memory."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tracemalloc
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from promptsim.errors import UsageError
from promptsim.intake.formats import read, read_items
from promptsim.intake.lines import split_elements, split_lines
from promptsim.intake.mapping import parse_map
from promptsim.intake.rejects import RejectsWriter
from promptsim.records import Event, Rejection

TIME = "2026-03-01T12:00:00Z"


def row(number: int, **more: object) -> dict[str, object]:
    return {"id": f"e{number}", "account_id": f"a{number}", "timestamp": TIME, "text": f"Text {number}", **more}


def lines(*rows: object) -> bytes:
    return b"".join((x if isinstance(x, bytes) else json.dumps(x).encode()) + b"\n" for x in rows)


def taken(data: bytes, **options: object) -> tuple[list[Event], list[Rejection], Counter[str]]:
    events: list[Event] = []
    rejections: list[Rejection] = []
    counts: Counter[str] = Counter()
    for batch in read(io.BytesIO(data), **options):  # type: ignore[arg-type]
        events += batch.events
        rejections += batch.rejections
        counts.update(batch.counts)
    return events, rejections, counts


def codes(data: bytes, **options: object) -> list[tuple[int, str]]:
    return [(r.line, r.code) for r in taken(data, **options)[1]]


# ------------------------------------------------------------------ JSON
def test_good_lines_are_kept_whatever_stands_between_them() -> None:
    data = lines(
        row(1),
        b"{oops",
        b"",
        b'{"account_id": "a", "text": "\xff"}',
        b"5",
        b'{"account_id":"a","account_id":"b","timestamp":1772366400,"text":"x"}',
        b'{"account_id":"a","timestamp":NaN,"text":"x"}',
        b'{"account_id":"a","timestamp":1772366400,"text":"\\ud800"}',
        b'{"account_id":"a","timestamp":1772366400,"text":"a\\u0000b"}',
        b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}",
        row(2),
    )
    events, rejections, counts = taken(data + b'{"account_id": "a", "te')
    assert [event.event_id for event in events] == ["e1", "e2"]
    assert [(r.line, r.code) for r in rejections] == [
        (2, "bad-json"),
        (4, "invalid-utf8"),
        (5, "not-an-object"),
        (6, "duplicate-key"),
        (7, "bad-json"),
        (8, "lone-surrogate"),
        (9, "nul-character"),
        (10, "too-deep"),
        (12, "truncated"),
    ]
    assert counts["blank-lines"] == 1
    assert rejections[0].raw == "{oops"
    assert rejections[1].raw == '{"account_id": "a", "text": "\\xff"}'


def test_quoted_json_in_a_text_is_no_duplicate_key() -> None:
    event = row(1, text='{"text": 1, "text": 2, "a":{"id":3}}', metadata={"id": "x", "text": "y"})
    assert taken(lines(event))[0][0].user == event["text"]
    inner = b'{"account_id":"a","timestamp":1772366400,"text":"x","metadata":{"k":1,"k":2}}'
    assert codes(lines(inner)) == [(1, "duplicate-key")]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_line_ends_and_byte_order_mark(end: bytes) -> None:
    data = b"\xef\xbb\xbf" + lines(row(1), row(2)).replace(b"\n", end)
    assert len(taken(data)[0]) == 2
    assert len(taken(data.rstrip())[0]) == 2


def test_an_oversized_line_is_skipped_and_shown_by_its_beginning() -> None:
    data = lines(row(1), row(2, text="x" * 50_000), row(3))
    events, rejections, _ = taken(data, max_line_bytes=10_000)
    assert [event.event_id for event in events] == ["e1", "e3"]
    assert (rejections[0].line, rejections[0].code, len(rejections[0].raw)) == (2, "line-too-long", 1000)


@pytest.mark.parametrize("indent", [None, 2])
def test_an_array_and_objects_over_many_lines(indent: int | None) -> None:
    rows = [row(1), row(2, text='a "quoted" ], }{ \\'), row(3)]
    array = json.dumps(rows, indent=indent).encode()
    assert [event.event_id for event in taken(array)[0]] == ["e1", "e2", "e3"]
    objects = "\n".join(json.dumps(r, indent=2) for r in rows).encode()
    assert [event.event_id for event in taken(objects)[0]] == ["e1", "e2", "e3"]
    assert [event.event_id for event in taken(json.dumps(row(1), indent=indent).encode())[0]] == ["e1"]


def test_elements_of_an_array_are_rejected_by_their_number() -> None:
    good = json.dumps(row(1)).encode()
    assert codes(b"[" + good + b', 5, {"a" 1},' + good.replace(b"e1", b"e2") + b"]") == [
        (2, "not-an-object"),
        (3, "bad-json"),
    ]
    assert codes(b"[" + good + b',{"account_id"') == [(2, "truncated")]
    assert codes(b"[" + good + b",") == [(2, "truncated")]
    assert taken(b"[]")[:2] == ([], [])


@settings(max_examples=60)
@given(
    st.lists(st.dictionaries(st.text(max_size=3), st.text() | st.lists(st.integers())), max_size=6), st.integers(1, 9)
)
def test_elements_do_not_depend_on_how_the_bytes_arrive(rows: list[object], step: int) -> None:
    data = json.dumps(rows).encode()
    found = [json.loads(x[1]) for x in split_elements(Trickle(data, step), array=True)]
    assert found == rows


@given(st.lists(st.binary(max_size=12).map(lambda b: b.replace(b"\n", b"")), max_size=8), st.integers(1, 7))
def test_lines_do_not_depend_on_how_the_bytes_arrive(parts: list[bytes], step: int) -> None:
    found = [x[1] for x in split_lines(Trickle(b"".join(p + b"\n" for p in parts), step))]
    assert found == parts


class Trickle:
    """A stream that gives a few bytes at a time, as a pipe may."""

    def __init__(self, data: bytes, step: int) -> None:
        self._data = io.BytesIO(data)
        self._step = step

    def read(self, size: int = -1, /) -> bytes:
        return self._data.read(min(self._step, size) if size >= 0 else self._step)


def test_items_of_a_request_come_in_order() -> None:
    items = list(read_items(io.BytesIO(lines(row(1), b"{", row(2)))))
    assert [type(item) for item in items] == [Event, Rejection, Event]


def test_nothing_is_no_event() -> None:
    assert taken(b"") == ([], [], Counter())
    assert taken(b"\n \n")[2]["blank-lines"] == 2


# ------------------------------------------------------------------ compression
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_compressed_by_content_not_by_name(pack: object, tmp_path: Path) -> None:
    assert callable(pack)
    data = lines(*map(row, range(1000)))
    packed = pack(data[:5000]) + pack(data[5000:])  # two members, one after another
    path = tmp_path / "log"
    path.write_bytes(packed)
    batches = list(read(path))
    assert sum(len(batch.events) for batch in batches) == 1000
    assert batches[-1].bytes_read == len(packed)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_cut_off_stream_keeps_what_came_before_it(pack: object) -> None:
    assert callable(pack)
    data = b"".join(lines(row(n, text=f"{n * 7919 % 10_007} {n}")) for n in range(20_000))
    packed = pack(data)
    events, rejections, _ = taken(packed[: len(packed) * 3 // 4])
    assert len(events) > 8_000
    assert [r.code for r in rejections] == ["damaged-stream"]


def test_nothing_that_can_be_unpacked_is_lost_at_the_end() -> None:
    """Also where the stream breaks off among the first lines, which the format is told from."""
    data = b"".join(lines(row(n, text=f"{n * 7919 % 10_007} {n}")) for n in range(3000))
    for share in (0.02, 0.3, 0.999):
        packed = gzip.compress(data)
        packed = packed[: int(len(packed) * share)]
        whole = zlib.decompressobj(31).decompress(packed).count(b"\n")
        events, rejections, _ = taken(packed)
        assert (len(events), [r.code for r in rejections]) == (whole, ["damaged-stream"])


def test_zeros_after_a_compressed_stream_are_padding() -> None:
    packed = gzip.compress(lines(row(1))) + bytes(100_000)
    assert [len(part) for part in taken(packed)[:2]] == [1, 0]
    events, rejections, _ = taken(packed + b"garbage")
    assert (len(events), [r.code for r in rejections]) == (1, ["damaged-stream"])


@pytest.mark.parametrize("magic", [b"BZh91AY", b"\xfd7zXZ\0\0", b"PK\x03\x04abc", "﻿{}".encode("utf-16-le")])
def test_what_is_not_read_here_is_named_with_the_fix(magic: bytes) -> None:
    with pytest.raises(UsageError, match=r"unpack it|turn it into UTF-8"):
        taken(magic)


# ------------------------------------------------------------------ tables
def table(rows: list[list[str]], delimiter: str = ",") -> bytes:
    out = io.StringIO()
    csv.writer(out, delimiter=delimiter).writerows(rows)
    return out.getvalue().encode()


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_tables_with_any_column_order_and_quoted_newlines(delimiter: str) -> None:
    data = table(
        [
            ["metadata.org_id", "text", "timestamp", "extra", "account_id", "metadata"],
            ["o1", 'two\nlines, "quoted"\tand; more', TIME, "x", "a1", '{"model": "m"}'],
            ["", "plain", "1772366400", "", "a2", ""],
        ],
        delimiter,
    )
    events, rejections, _ = taken(data)
    assert not rejections
    assert [(e.account_id, e.user) for e in events] == [
        ("a1", 'two\nlines, "quoted"\tand; more'),
        ("a2", "plain"),
    ]
    assert [dict(e.metadata) for e in events] == [{"model": "m", "org_id": "o1", "extra": "x"}, {}]


def test_messages_in_a_cell() -> None:
    talk = json.dumps([{"role": "system", "content": "S"}, {"role": "user", "content": "U"}])
    data = table([["account_id", "timestamp", "text", "messages"], ["a", TIME, "", talk], ["a", TIME, "", "[oops"]])
    events, rejections, _ = taken(data)
    assert [(e.system, e.user) for e in events] == [("S", "U")]
    assert [(r.line, r.code) for r in rejections] == [(3, "bad-messages")]


def test_bad_rows_are_rejected_by_the_number_that_a_spreadsheet_shows() -> None:
    data = (
        b"account_id,timestamp,text\n"
        b"a," + TIME.encode() + b",one\n"
        b"a," + TIME.encode() + b",one,too many\n"
        b"\n"
        b"a," + TIME.encode() + b",b\xffd\n"
        b"a,never,four\n"
        b"a," + TIME.encode() + b',"broken"x\n'
        b"a," + TIME.encode() + b",five\n"
        b"a," + TIME.encode() + b',"open\n'
    )
    events, rejections, counts = taken(data)
    assert [event.user for event in events] == ["one", "five"]
    assert [(r.line, r.code) for r in rejections] == [
        (3, "bad-row"),
        (5, "invalid-utf8"),
        (6, "bad-timestamp"),
        (7, "bad-row"),
        (9, "bad-row"),
    ]
    assert counts["blank-lines"] == 1
    assert json.loads(rejections[2].raw) == {"account_id": "a", "timestamp": "never", "text": "four"}


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        (b"account_id,text\na,b\n", {}, "no 'timestamp' for timestamp; it has: account_id, text"),
        (b"account_id,timestamp,prompt\na,1,b\n", {}, "--map text=NAME"),
        (b"account_id,timestamp,prompt\n", {"mapping": {"text": "promt"}}, "no 'promt' for text"),
        (b"account_id,account_id,text\n", {"format": "csv"}, "twice"),
        (b"", {"format": "csv"}, "empty"),
        (b'{"a": 1}\n', {"mapping": {"text": "prompt"}}, "no 'prompt' for text; it has: a"),
        (b'{"a": 1}\n', {"mapping": {"txt": "prompt"}}, "no such field"),
        (b'{"a": 1}\n', {"format": "xml"}, "no format 'xml'; known are auto, jsonl"),
        (b"Dear Sir or Madam\n", {}, "no known format"),
        (b"PAR1xxxx", {}, "no Parquet file"),
    ],
)  # fmt: skip
def test_an_unusable_call_is_named_with_its_fix(data: bytes, options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        taken(data, **options)
    assert said in str(caught.value)


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        list(read(tmp_path / "none.jsonl"))
    with pytest.raises(UsageError, match="is a folder"):
        list(read(tmp_path))


# ------------------------------------------------------------------ mapping
def test_mapping_reads_nested_names_and_leaves_fields_out() -> None:
    record = {
        "uid": 7,
        "when": {"start": TIME},
        "text": "ignored",
        "body": {"messages": [{"role": "user", "content": "Hi"}]},
        "sys": "Be brief.",
        "a.b": "dotted",
    }
    mapping = parse_map("account_id=uid, timestamp=when.start,text=,messages=body.messages,system=sys,metadata.x=a.b")
    (event,), rejections, _ = taken(lines(record), mapping=mapping)
    assert not rejections
    assert (event.account_id, event.system, event.user, event.metadata) == ("7", "Be brief.", "Hi", {"x": "dotted"})


def test_mapping_into_a_list_and_a_json_cell() -> None:
    record = {"account_id": "a", "timestamp": TIME, "turns": [{"t": "one"}, {"t": "two"}]}
    assert taken(lines(record), mapping={"text": "turns.1.t"})[0][0].user == "two"
    data = table([["timestamp", "text", "meta"], [TIME, "x", '{"user": {"key": "k1"}}']])
    assert taken(data, mapping={"account_id": "meta.user.key"})[0][0].account_id == "k1"


def test_a_mapped_field_that_only_some_lack_is_a_rejection() -> None:
    data = lines({**row(1), "p": "x"}, row(2))
    events, rejections, _ = taken(data, mapping={"text": "p"})
    assert [e.user for e in events] == ["x"]
    assert [(r.line, r.code) for r in rejections] == [(2, "missing-field")]


def test_map_without_a_field_is_refused() -> None:
    with pytest.raises(UsageError, match="FIELD=NAME"):
        parse_map("prompt")


# ------------------------------------------------------------------ Parquet
def parquet(columns: dict[str, object], **options: object) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, **options)
    return out.getvalue()


def test_parquet_with_nested_and_timed_columns(tmp_path: Path) -> None:
    talk = [{"role": "system", "content": "S"}, {"role": "user", "content": "U"}]
    moment = 1_772_366_400_000_000_000
    data = parquet(
        {
            "account_id": pa.array([1, 2, 3, 4]),
            "timestamp": pa.array([moment, moment, moment, 700_000_000_000_000], pa.timestamp("ns", tz="Asia/Tokyo")),
            "messages": pa.array([talk, None, talk, talk]),
            "text": pa.array([None, "T", None, None]),
            "metadata": pa.array([{"org_id": "o", "gap": None}, None, {"org_id": None, "gap": "g"}, None]),
            "metadata.ip": pa.array(["1.2.3.4", None, None, None]),
            "unused": pa.array([b"\0"] * 4),
        }
    )
    path = tmp_path / "log.bin"
    path.write_bytes(data)
    (batch,) = read(path)
    assert [(e.account_id, e.time, e.system, e.user) for e in batch.events] == [
        ("1", moment // 1000, "S", "U"),
        ("2", moment // 1000, "", "T"),
        ("3", moment // 1000, "S", "U"),
    ]
    assert [dict(e.metadata) for e in batch.events] == [{"org_id": "o", "ip": "1.2.3.4"}, {}, {"gap": "g"}]
    assert [(r.line, r.code) for r in batch.rejections] == [(4, "time-out-of-range")]
    assert batch.bytes_read == len(data)
    assert len(taken(gzip.compress(data))[0]) == 3  # from a stream as well


def test_parquet_maps_and_json_text() -> None:
    data = parquet(
        {
            "account_id": ["a", "b"],
            "timestamp": [TIME, TIME],
            "messages": ['[{"role":"user","content":"U"}]', "[]"],
            "metadata": pa.array([[("org_id", "o")], []], pa.map_(pa.string(), pa.string())),
        }
    )
    events, rejections, _ = taken(data)
    assert [(e.user, dict(e.metadata)) for e in events] == [("U", {"org_id": "o"})]
    assert [(r.line, r.code) for r in rejections] == [(2, "empty-text")]


def test_every_container_gives_the_same_events() -> None:
    rows = [row(n, text=f"Größe {n}\nnext", metadata={"org_id": f"o{n}"}) for n in range(50)]
    flat = [{**r, "metadata": json.dumps(r["metadata"])} for r in rows]
    header = list(flat[0])
    sources = {
        "jsonl": lines(*rows),
        "csv": table([header, *[[str(r[h]) for h in header] for r in flat]]),
        "tsv": table([header, *[[str(r[h]) for h in header] for r in flat]], "\t"),
        "parquet": parquet({h: [r[h] for r in flat] for h in header}),
    }
    found = {name: [replace(e, metadata=dict(e.metadata)) for e in taken(data)[0]] for name, data in sources.items()}
    assert found["jsonl"] == found["csv"] == found["tsv"] == found["parquet"]
    for name, data in sources.items():
        assert len(taken(data, format=name)[0]) == 50


# ------------------------------------------------------------------ rejects and memory
def test_rejects_can_be_mended_and_sent_again(tmp_path: Path) -> None:
    out = tmp_path / "rejects.jsonl"
    with RejectsWriter(out) as kept:
        for batch in read(io.BytesIO(lines(row(1, text=""), b"{oops")), source_name="log"):
            kept.write(batch.rejections)
    first, second = map(json.loads, out.read_text().splitlines())
    assert list(first) == ["source", "line", "code", "reason", "raw"]
    assert (first["source"], first["line"], second["code"], second["raw"]) == ("log", 1, "bad-json", "{oops")
    first["raw"] = json.dumps(json.loads(first["raw"]) | {"text": "mended"})
    events, rejections, _ = taken(lines(first, second))
    assert [event.user for event in events] == ["mended"]
    assert [(r.line, r.code) for r in rejections] == [(2, "bad-json")]
    again = {"source": "", "line": 2, "code": "bad-json", "reason": "", "raw": rejections[0].raw}
    assert codes(lines(again)) == [(1, "bad-json")]


class Endless:
    """A generated log of `size` bytes that is never whole in memory."""

    def __init__(self, size: int) -> None:
        self._left = size
        self._block = b"".join(lines(row(n, text="word " * 100)) for n in range(500))

    def read(self, size: int = -1, /) -> bytes:  # noqa: ARG002
        if self._left <= 0:
            return b""
        self._left -= len(self._block)
        return self._block


def peak(stream: object) -> int:
    tracemalloc.start()
    for batch in read(stream, format="jsonl"):  # type: ignore[arg-type]
        del batch
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return used


def test_a_larger_log_needs_no_more_memory() -> None:
    small, large = peak(Endless(5_000_000)), peak(Endless(20_000_000))
    assert large < small * 1.2 + 2_000_000


def test_one_endless_line_needs_no_memory() -> None:
    def blocks() -> Iterator[bytes]:
        for _ in range(60):
            yield b"x" * 1_000_000

    class Line:
        def __init__(self) -> None:
            self._blocks = blocks()

        def read(self, size: int = -1, /) -> bytes:  # noqa: ARG002
            return next(self._blocks, b"")

    tracemalloc.start()
    (batch,) = read(Line(), format="jsonl", max_line_bytes=2_000_000)  # type: ignore[arg-type]
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [r.code for r in batch.rejections] == ["line-too-long"]
    assert used < 12_000_000


# ------------------------------------------------------------------ what the contract has no field for
EXTRA = {"org_id": "o1", "country": "DE", "tokens": 12, "text_embedding": [0.5, 0.25], "answer": "yes " * 100}


def as_parquet(rows: list[dict[str, object]]) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows), out)
    return out.getvalue()


def test_further_fields_become_metadata_and_what_is_long_or_nested_is_counted() -> None:
    wanted = {"org_id": "o1", "country": "DE", "tokens": 12}
    events, _, counts = taken(lines(row(1, **EXTRA)))
    assert (dict(events[0].metadata), counts["fields-left-out"]) == (wanted, 2)
    events, _, counts = taken(as_parquet([row(1, **EXTRA)]))
    assert (dict(events[0].metadata), counts["fields-left-out"]) == (wanted, 1)  # the list is not even read
    flat = [["id", "account_id", "timestamp", "text", *EXTRA], ["e1", "a", TIME, "t", *map(str, EXTRA.values())]]
    events, _, counts = taken(table(flat))
    assert dict(events[0].metadata) == {
        "org_id": "o1",
        "country": "DE",
        "tokens": "12",
        "text_embedding": "[0.5, 0.25]",
    }
    assert counts["fields-left-out"] == 1


def test_metadata_of_its_own_stands_above_a_further_field() -> None:
    events, _, _ = taken(lines(row(1, metadata={"org_id": "inside"}, org_id="outside", ip="192.0.2.1")))
    assert dict(events[0].metadata) == {"org_id": "inside", "ip": "192.0.2.1"}


@pytest.mark.parametrize("pack", [lines, lambda *rows: as_parquet(list(rows))], ids=["jsonl", "parquet"])
def test_fields_that_a_mapping_reads_are_not_kept_twice(pack: Callable[..., bytes]) -> None:
    data = pack({"prompt": "hello", "who": "a1", "when": TIME, "region": "eu"})
    events, _, _ = taken(data, mapping={"text": "prompt", "account_id": "who", "timestamp": "when"})
    assert [(e.account_id, e.user, dict(e.metadata)) for e in events] == [("a1", "hello", {"region": "eu"})]


def test_times_of_further_columns_are_kept_as_times() -> None:
    made = [datetime(2026, 1, 5, 8, 30), datetime(1066, 10, 14)]
    events, rejections, _ = taken(as_parquet([row(i, account_created_at=when) for i, when in enumerate(made)]))
    assert not rejections
    assert [e.metadata["account_created_at"] for e in events] == ["2026-01-05T08:30:00.000Z", "1066-10-14 00:00:00"]
