"""Reading outputs strictly: every byte belongs to exactly one whole record of a metric that was sent."""

import itertools
import re

from metrics import HEAD

IDENT = re.compile(rb"Dimensions = map\[id:(\S+?)(?: pad:p+)?\]")


def split(raw):
    """The records of an output, one after the other. Everything must be part of one."""
    assert raw == b"" or raw.startswith(HEAD), f"begins in the middle of a record: {raw[:200]!r}"
    return [HEAD + body for body in raw.split(HEAD)[1:]]


def idents(raw, sent):
    """The idents of the records in an output, in order; each record must be whole: exactly the text of the metric in
    `sent` (by ident) that it names."""
    found = []
    for number, record in enumerate(split(raw)):
        match = IDENT.search(record)
        assert match is not None, f"record {number} is torn: {record[:300]!r}"
        ident = match.group(1).decode()
        assert ident in sent, f"record {number} was never sent: {ident}"
        assert record == sent[ident].text(), f"record {number}, {ident}, is torn or mixed: {record[:300]!r}"
        found.append(ident)
    return found


def check_exactly_once(found, acknowledged, attempted):
    """Acknowledged idents stand there exactly once, attempted ones at most once, no others."""
    seen = set(found)
    doubled = sorted({ident for ident in found if found.count(ident) > 1}) if len(seen) < len(found) else []
    assert not doubled, f"{len(doubled)} records are doubled: {doubled[:10]}"
    lost = sorted(set(acknowledged) - seen)
    assert not lost, f"{len(lost)} of {len(acknowledged)} acknowledged records are lost: {lost[:10]}"
    strange = sorted(seen - set(attempted))
    assert not strange, f"never sent: {strange[:10]}"


def check_order(found, sent_in_order):
    """What one connection sent one after the other stands in that order (P4)."""
    place = {ident: number for number, ident in enumerate(sent_in_order)}
    places = [place[ident] for ident in found if ident in place]
    assert places == sorted(places), "the calls of one connection stand in another order"


def check_order_in_files(files, sent_in_order, returns=False):
    """The same where an output became several files, by rotation or by other hands: within each, and once its calls stand in
    the next file none comes to an earlier one, unless its name led there again."""
    place = {ident: (number, index) for number, found in enumerate(files) for index, ident in enumerate(found)}
    places = [place[ident] for ident in sent_in_order if ident in place]
    newest = {}
    for number, index in places:
        assert index > newest.get(number, -1), "the calls of one connection stand in another order"
        newest[number] = index
    turns = [number for number, _ in itertools.groupby(places, lambda where: where[0])]
    assert returns or len(turns) == len(newest), "the calls of one connection stand in files that take turns"
