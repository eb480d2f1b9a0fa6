#!/usr/bin/env python3
"""A second verifier of tomkit's ledger exports, written from the comment of the Go package ledger/verify alone.

    verify.py EXPORT.zip ...    verdict of each export; exit 0 intact, 1 broken, 2 unusable
    verify.py --vectors DIR     agree with the published vectors in DIR; exit 0 or 1

It needs Python 3.9 and, for the Ed25519 lines, the package cryptography. It does not verify ML-DSA: what only the
composite signature gives away stays unseen and is marked so in the vectors. It reads one export into memory and is meant
to be read, not to be fast.
"""

import base64
import binascii
import copy
import datetime
import hashlib
import json
import re
import sys
import zipfile

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

COMPOSITE = "id-MLDSA65-Ed25519-SHA512"
OID = b"1.3.6.1.5.5.7.6.48"
COMPOSITE_SIZES = {"signature": 3309 + 64, "public": 1952 + 32}
GENESIS = bytes(32)
WIDTH = 256
NAME = re.compile(rb"[a-z0-9_]{1,64}\Z")
MARK = re.compile(r"\{c:([0-9a-f]{64})\}")
EPOCH = datetime.datetime(1970, 1, 1)
WORD = re.compile(r"[a-z0-9_]{1,64}\Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\Z")
HASH = re.compile(r"[0-9a-f]{64}\Z")


class Malformed(Exception):
    """Bytes that are not what the specification allows."""


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def number(text):
    """A decimal number in its only form."""
    if not re.fullmatch(r"0|[1-9][0-9]{0,19}", text) or int(text) >= 1 << 64:
        raise Malformed("number")
    return int(text)


def unbase64(text, size=None):
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Malformed("base64") from None
    if base64.b64encode(raw).decode() != text or size not in (None, len(raw)):
        raise Malformed("base64")
    return raw


# Details: canonical JSON. It is parsed strictly and written again; only one text survives that.


def quoted(text):
    short = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}
    return '"' + "".join(short.get(c) or ("\\u%04x" % ord(c) if c < " " else c) for c in text) + '"'


def canonical(value, level=1):
    if isinstance(value, (dict, list)) and level > 16:
        raise Malformed("levels")
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        if abs(value) > 2**53 - 1:
            raise Malformed("integer")
        return str(value)
    if isinstance(value, str):
        if "\0" in value or any("\ud800" <= c <= "\udfff" for c in value):
            raise Malformed("text")
        return quoted(value)
    if isinstance(value, list):
        return "[" + ",".join(canonical(v, level + 1) for v in value) + "]"
    if isinstance(value, dict):
        keys = sorted(value, key=lambda k: k.encode("utf-16-be", "surrogatepass"))
        return "{" + ",".join(canonical(k) + ":" + canonical(value[k], level + 1) for k in keys) + "}"
    raise Malformed("value")


def refuse(_):
    raise Malformed("fraction or constant")


def members(pairs):
    if len(dict(pairs)) != len(pairs):
        raise Malformed("key twice")
    return dict(pairs)


def parse_object(raw):
    try:
        value = json.loads(raw.decode("utf-8"), parse_float=refuse, parse_constant=refuse, object_pairs_hook=members)
    except (UnicodeDecodeError, ValueError, RecursionError):
        raise Malformed("JSON") from None
    if not isinstance(value, dict) or canonical(value).encode("utf-8", "surrogatepass") != raw:
        raise Malformed("not canonical")
    return value


def parse_details(raw):
    if len(raw) > 49152:
        raise Malformed("details too large")
    return parse_object(raw)


# Entry


class Entry:
    """The canonical form of an entry, version 1."""

    def __init__(self, raw):
        self.raw, self.at = raw, 0
        if len(raw) > 60000 or self.take(1) != b"\x01":
            raise Malformed("version or size")
        self.seq = self.integer(8)
        self.id, self.tenant = self.take(16), self.take(16)
        flag = self.take(1)
        if flag not in (b"\0", b"\1"):
            raise Malformed("user flag")
        self.user = self.take(16) if flag == b"\1" else None
        self.entry_class, self.scheme = self.integer(1), self.integer(1)
        if self.entry_class > 1 or self.scheme not in (1, 2):
            raise Malformed("class or scheme")
        self.micros = int.from_bytes(self.take(8), "big", signed=True)
        self.time = formatted(self.micros)
        self.previous, self.current = self.take(32), self.take(32)
        self.action, self.entity_type, self.entity_id, self.narrative = (self.take(self.integer(2)) for _ in range(4))
        self.details_raw = self.take(self.integer(4))
        if self.at != len(raw):
            raise Malformed("trailing bytes")
        self.check_text()
        self.details = parse_details(self.details_raw)

    def take(self, n):
        if self.at + n > len(self.raw):
            raise Malformed("cut short")
        self.at += n
        return self.raw[self.at - n : self.at]

    def integer(self, n):
        return int.from_bytes(self.take(n), "big")

    def check_text(self):
        for field, least, most in (
            (self.action, 1, 64), (self.entity_type, 1 if self.scheme == 1 else 0, 64), (self.entity_id, 0, 256), (self.narrative, 0, 4096),
        ):
            try:
                field.decode("utf-8")
            except UnicodeDecodeError:
                raise Malformed("text") from None
            if not least <= len(field) <= most or b"\0" in field:
                raise Malformed("text")
        if self.scheme == 1 and not (NAME.match(self.action) and NAME.match(self.entity_type)):
            raise Malformed("name")

    def leaf(self):
        return sha256(b"\0", self.raw)

    def link(self):
        return sha256(self.previous.hex().encode(), self.action, self.entity_id, self.narrative, self.time.encode())

    def commitments(self):
        """The distinct commitments in the narrative and in details."""
        if self.scheme != 1:
            return []
        found = MARK.findall(self.narrative.decode("utf-8"))
        walk(self.details, found)
        return list(dict.fromkeys(found))


def walk(value, found):
    if isinstance(value, dict):
        c = value.get("c")
        if len(value) == 1 and isinstance(c, str) and re.fullmatch("[0-9a-f]{64}", c):
            found.append(c)
        for v in value.values():
            walk(v, found)
    elif isinstance(value, list):
        for v in value:
            walk(v, found)


def formatted(micros):
    if not 0 <= micros < 253402300800 * 10**6:
        raise Malformed("time")
    t = EPOCH + datetime.timedelta(microseconds=micros)
    fraction = ("%06d" % t.microsecond).rstrip("0")
    return t.strftime("%Y-%m-%dT%H:%M:%S") + ("." + fraction if fraction else "") + "Z"


# Tree


def node(left, right):
    return sha256(b"\1", left, right)


def split(n):
    return 1 << ((n - 1).bit_length() - 1)


def root(leaves):
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    k = split(len(leaves))
    return node(root(leaves[:k]), root(leaves[k:]))


def root_from_inclusion(proof, index, size, leaf):
    """RFC 6962 2.1.1, by the recursion of its definition."""
    if not 0 <= index < size or (size == 1) != (not proof):
        raise Malformed("proof")
    if size == 1:
        return leaf
    k = split(size)
    if index < k:
        return node(root_from_inclusion(proof[:-1], index, k, leaf), proof[-1])
    return node(proof[-1], root_from_inclusion(proof[:-1], index - k, size - k, leaf))


def roots_from_consistency(proof, old, new, old_root, whole=True):
    """RFC 6962 2.1.2: the old and the new root that a proof leads to."""
    if old == new:
        if whole:
            if proof:
                raise Malformed("proof")
            return old_root, old_root
        if len(proof) != 1:
            raise Malformed("proof")
        return proof[0], proof[0]
    if not proof:
        raise Malformed("proof")
    k = split(new)
    if old <= k:
        a, b = roots_from_consistency(proof[:-1], old, k, old_root, whole)
        return a, node(b, proof[-1])
    a, b = roots_from_consistency(proof[:-1], old - k, new - k, old_root, False)
    return node(proof[-1], a), node(proof[-1], b)


# Personal values


def commitment(salt, value):
    return sha256(b"tomkit/personal/v1\0", salt, value)


def erased_digest(pairs):
    return sha256(*(seq.to_bytes(8, "big") + bytes.fromhex(c) for seq, c in sorted(pairs)))


# Keys


ALGORITHMS = {"checkpoint": COMPOSITE, "entry": COMPOSITE, "checkpoint-ed25519": "Ed25519"}
KEY_SIZES = {COMPOSITE: COMPOSITE_SIZES["public"], "Ed25519": 32}


class Key:
    """A key of the history, and what the log says about it."""

    def __init__(self, document, announced=False):
        optional = set() if announced else {"until", "compromised"}
        must = {"id", "purpose", "algorithm", "public", "from"}
        if not isinstance(document, dict) or not must <= set(document) <= must | optional:
            raise Malformed("key")
        self.id, self.purpose, self.algorithm = document["id"], document["purpose"], document["algorithm"]
        self.raw = unbase64(document["public"])
        self.first, self.until = document["from"], document.get("until")
        self.compromised = document.get("compromised", False)
        if ALGORITHMS.get(self.purpose) != self.algorithm or len(self.raw) != KEY_SIZES[self.algorithm]:
            raise Malformed("purpose or algorithm")
        if self.id != sha256(self.algorithm.encode(), b"\0", self.raw)[:8].hex():
            raise Malformed("key id")
        if not position(self.first) or "until" in document and not (position(self.until) and self.until > self.first):
            raise Malformed("key valid nowhere")
        if document.get("compromised", True) is not True:
            raise Malformed("compromised")
        self.pinned = self.end_pinned = self.announced = False
        self.counts = self.first == 0

    def valid(self, p):
        return self.first <= p and (self.until is None or p < self.until)

    def same(self, other):
        return (self.id, self.purpose, self.raw, self.first) == (other.id, other.purpose, other.raw, other.first)


def position(n):
    return isinstance(n, int) and not isinstance(n, bool) and 0 <= n < 1 << 63


class Keys:
    """The key history to judge by."""

    def __init__(self, document):
        if not isinstance(document, dict) or set(document) != {"format", "origin", "keys"} or document["format"] != "tomkit-keys/v1":
            raise Malformed("keys")
        self.origin, self.list = document["origin"], [Key(k) for k in document["keys"]]
        parse_origin(self.origin)
        if len({k.id for k in self.list}) != len(self.list) or len(self.list) > 1024:
            raise Malformed("a key twice")

    def pinned(self, own):
        """These keys as pinned ones, with what keys.json adds."""
        merged = copy.deepcopy(self)
        for k in merged.list:
            k.pinned, k.counts, k.end_pinned = True, True, k.until is not None
        if own is None or parse_origin(own.origin)[:2] != parse_origin(self.origin)[:2]:
            return merged
        if parse_origin(own.origin)[2] > parse_origin(self.origin)[2]:
            merged.origin = own.origin
        for k in own.list:
            known = merged.by_id(k.id)
            if known is None and k.first > 0:
                merged.list.append(k)
            elif known is not None:
                known.compromised = known.compromised or k.compromised
                if known.until is None and k.until is not None and k.until > known.first:
                    known.until = k.until
        return merged

    def by_id(self, key_id):
        return next((k for k in self.list if k.id == key_id), None)

    def valid(self, purpose, p):
        return [k for k in self.list if k.purpose == purpose and k.valid(p)]


# Notes


def parse_origin(text):
    parts = re.fullmatch(r"([a-z0-9.:-]+)/ledger/([0-9a-f]{32})/(0|[1-9][0-9]*)", text) if isinstance(text, str) else None
    if not parts or len(text.encode()) > 255:
        raise Malformed("origin")
    return parts[1], parts[2], number(parts[3])


def parse_checkpoint(text):
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise Malformed("checkpoint")
    parse_origin(lines[0])
    return lines[0], number(lines[1]), unbase64(lines[2], 32)


def split_note(signed):
    """The text of a note and its signature lines as (name, blob)."""
    text, separator, rest = signed.partition("\n\n")
    if not separator or not rest.endswith("\n"):
        raise Malformed("note")
    lines = []
    for line in rest[:-1].split("\n"):
        parts = re.fullmatch("\u2014 ([^ +]+) ([^ ]+)", line)
        if not parts:
            raise Malformed("signature line")
        lines.append((parts[1], unbase64(parts[2])))
    return text + "\n", lines


def open_checkpoint(signed, keys):
    """Origin, size and root of a checkpoint whose Ed25519 line is right and whose composite line has the right form."""
    text, lines = split_note(signed)
    origin, size, head = parse_checkpoint(text)
    log, ours = parse_origin(origin), parse_origin(keys.origin)
    if log[:2] != ours[:2] or log[2] > ours[2]:
        raise Malformed("origin")
    have = set()
    for name, blob in lines:
        for k in keys.list if name == origin else ():
            if k.purpose != "entry" and k.valid(size) and blob[:4] == note_key_id(origin, k):
                check_line(k, blob[4:], text)
                have.add(k.purpose)
    if "checkpoint" not in have or keys.valid("checkpoint-ed25519", size) and "checkpoint-ed25519" not in have:
        raise Malformed("not signed")
    return origin, size, head


def note_key_id(name, key):
    kind = b"\xff" + OID if key.algorithm == COMPOSITE else b"\x01"
    return sha256(name.encode(), b"\n", kind, key.raw)[:4]


def check_line(key, signature, text):
    if key.algorithm == COMPOSITE:
        if len(signature) != COMPOSITE_SIZES["signature"]:
            raise Malformed("composite signature")
        return
    check_ed25519(key.raw, signature, text.encode())


def check_ed25519(raw, signature, message):
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise Malformed("signature") from None


def open_receipt(text, keys):
    """Origin, size and root of the receipt's checkpoint, its index and leaf."""
    head, separator, signed = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Malformed("receipt")
    leaf, index = unbase64(lines[1][6:], 32), number(lines[2][6:])
    proof = [unbase64(line, 32) for line in lines[3:]]
    origin, size, want = open_checkpoint(signed, keys)
    if root_from_inclusion(proof, index, size, leaf) != want:
        raise Malformed("proof")
    return origin, size, want, index, leaf


class Witness:
    """A witness's key. ML-DSA-44 signatures are not verified, only their form."""

    def __init__(self, text):
        self.name, key_hash, key = text.split("+", 2)
        raw = unbase64(key)
        self.kind, self.raw = raw[0], raw[1:]
        self.key_hash = sha256(self.name.encode(), b"\n", raw)[:4]
        if self.key_hash.hex() != key_hash or {4: 32, 6: 1312}.get(self.kind) != len(self.raw):
            raise Malformed("witness")

    def check(self, text, blob):
        """The time of a cosignature: what stands behind the key hash."""
        origin, size, head = parse_checkpoint(text)
        seconds = int.from_bytes(blob[:8], "big")
        if len(blob) != 8 + {4: 64, 6: 2420}[self.kind] or not 0 < seconds < 1 << 63:
            raise Malformed("cosignature")
        if self.kind == 4:
            check_ed25519(self.raw, blob[8:], b"cosignature/v1\ntime %d\n" % seconds + text.encode())
        return seconds


# Export


def tile_path(level, index, width):
    groups = ["%03d" % (index % 1000)]
    while index >= 1000:
        index //= 1000
        groups.insert(0, "x%03d" % (index % 1000))
    return "tile/%s/%s" % (level, "/".join(groups)) + ("" if width == WIDTH else ".p/%d" % width)


def tiles(size):
    """Index and width of the tiles over that many hashes."""
    return [(i, min(WIDTH, size - i * WIDTH)) for i in range((size + WIDTH - 1) // WIDTH)]


class Known:
    """What is known from elsewhere: pinned keys, receipts, an earlier checkpoint, one to go on from, witnesses."""

    def __init__(self, v=None):
        v = v or {}
        self.keys = Keys(v["keys"]) if v.get("keys") else None
        self.receipts, self.since, self.start = v.get("receipts", []), v.get("since"), v.get("from")
        self.witnesses, self.quorum = [Witness(w) for w in v.get("witnesses", [])], v.get("quorum", 0)


def read_json(raw):
    return json.loads(raw.decode("utf-8"), object_pairs_hook=members)


class Export:
    """An export as a dictionary of its files, and what is wrong with it: (first, last) or (None, None)."""

    def __init__(self, files, known=None):
        self.files, self.known, self.faults = files, known or Known(), []
        self.log = read_json(files["log.json"])
        own = Keys(read_json(files["keys.json"]))
        self.keys = self.known.keys.pinned(own) if self.known.keys else own
        self.start, self.size, self.entries, self.leaves = 0, 0, [], []
        self.gaps, self.closed, self.lost = [], False, 0

    def fault(self, first=None, last=None):
        self.faults.append((first, first if last is None else last))

    def verify(self):
        signed = self.files["checkpoint"].decode()
        try:
            open_checkpoint(signed, self.keys)
        except Malformed:
            self.fault()
        self.origin, self.size, self.head = parse_checkpoint(signed.partition("\n\n")[0] + "\n")
        _, self.log_id, self.epoch = parse_origin(self.origin)
        if self.log["origin"] != self.origin or self.log["log"] != self.log_id:
            self.fault()
        if self.check_cosignatures(signed) < self.known.quorum:
            self.fault()
        self.gather()
        self.begin()
        self.signatures = {s["seq"]: s for s in self.lines("signatures.jsonl")}
        self.check_entries()
        if len(self.entries) == self.size:
            self.check_roots()
            self.check_receipts()
            self.check_tiles()
            self.check_signatures()
            self.check_personal()
            self.check_keys()
            self.check_epoch()
        self.faults.sort(key=lambda f: (1 << 64, 0) if f[0] is None else (f[1], -f[0]))
        return self.faults

    def check_cosignatures(self, signed):
        """The number of witnesses that cosigned; invalid lines are faults."""
        try:
            text, lines = split_note(signed)
        except Malformed:
            return 0  # a fault by itself
        names, seen = set(), set()
        for name, blob in lines:
            for w in self.known.witnesses:
                if (name, blob[:4]) != (w.name, w.key_hash) or w in seen:
                    continue
                seen.add(w)
                try:
                    w.check(text, blob[4:])
                    names.add(name)
                except Malformed:
                    self.fault()
        return len(names)

    def gather(self):
        """Everything that vouches for the log: (size, epoch, root), and receipts."""
        self.anchors, self.receipts, self.base = [], [], None
        notes = [(n, self.files[n].decode()) for n in sorted(self.files) if n.startswith("checkpoints/")]
        for name, signed in notes + [(None, self.known.since), (None, self.known.start)]:
            if signed is None:
                continue
            try:
                origin, size, want = open_checkpoint(signed, self.keys)
                self.check_cosignatures(signed)
                if name not in (None, "checkpoints/%020d" % size) or parse_origin(origin)[2] > self.epoch:
                    raise Malformed("not the export's")
            except Malformed:
                self.fault()
                continue
            self.anchors.append((size, parse_origin(origin)[2], want))
            if signed is self.known.start:
                self.base = self.anchors[-1]
        for text in self.known.receipts:
            try:
                origin, size, want, index, leaf = open_receipt(text, self.keys)
            except Malformed:
                self.fault()
                continue
            self.anchors.append((size, parse_origin(origin)[2], want))
            self.receipts.append((index, parse_origin(origin)[2], leaf))
        self.anchors.append((self.size, self.epoch, self.head))
        self.anchors.sort(key=lambda a: a[0])

    def begin(self):
        """Where reading begins. The leaves left of it are those of the tiles."""
        if self.base is None or not WIDTH < self.base[0] <= self.size:
            return
        size, epoch, want = self.base
        start = (size - 1) // WIDTH * WIDTH
        tile = self.files.get(tile_path(0, start // WIDTH, min(WIDTH, self.size - start)), b"")
        published = b"".join(self.files.get(tile_path(0, i, WIDTH), b"") for i in range(start // WIDTH)) + tile
        leaves = [published[i : i + 32] for i in range(0, 32 * size, 32)]
        upper = all(self.files.get(tile_path(1, i, w), b"")[:32] == root(leaves[:WIDTH]) for i, w in tiles(self.size // WIDTH)[:1])
        if root(leaves) == want and upper:
            self.start, self.leaves, self.entries = start, leaves[:start], [None] * start
            self.anchors = [a for a in self.anchors if a[1] >= epoch]
            for k in self.keys.list:
                k.counts = k.counts or k.first <= start

    def bundles(self):
        for index, width in tiles(self.size)[self.start // WIDTH :]:
            rest = self.files.get(tile_path("entries", index, width), b"")
            while rest:
                n = int.from_bytes(rest[:2], "big")
                yield rest[2 : 2 + n]
                rest = rest[2 + n :]

    def check_entries(self):
        published = b"".join(self.files.get(tile_path(0, i, w), b"") for i, w in tiles(self.size))
        tenant, previous, micros = None, GENESIS if self.start == 0 else None, 0
        for at, raw in enumerate(self.bundles(), self.start):
            if at >= self.size:
                self.fault(at)
                break
            try:
                e = Entry(raw)
            except Malformed:
                self.fault(at)
                self.entries.append(None)
                self.leaves.append(sha256(b"\0", raw))
                previous = None
                continue
            tenant = tenant or e.tenant
            wrong = (
                e.seq != at or e.tenant != tenant or e.micros < micros or (previous is not None and e.previous != previous)
                or e.link() != e.current or e.leaf() != published[32 * at : 32 * at + 32]
            )
            if wrong:
                self.fault(at)
            previous, micros = e.current, e.micros
            self.entries.append(e)
            self.leaves.append(e.leaf())
            self.speak(at, e)
        if len(self.entries) < self.size:
            self.fault(len(self.entries))

    # What the log says about itself.

    def speak(self, at, e):
        if self.closed:
            self.fault(at)
        self.closed = self.closed or (e.scheme == 1 and e.action == b"ledger_closed")
        said = {b"ledger_keys_rotated": self.rotate, b"ledger_recovered": self.recover, b"ledger_closed": self.close}.get(e.action)
        if e.scheme != 1 or said is None:
            return
        if e.entry_class != 1 or e.entity_type != b"ledger" or e.entity_id != self.log_id.encode():
            self.fault(at)
            return
        try:
            said(at, e.details, self.signed(at))
        except (Malformed, KeyError, TypeError):
            self.fault(at)

    def signed(self, at):
        """Whether an entry key that counts and is valid there signed an entry, as far as can be seen without ML-DSA."""
        s = self.signatures.get(at)
        return s is not None and any(k.id == s["key"] and k.counts for k in self.keys.valid("entry", at))

    def rotate(self, at, d, signed):
        if not isinstance(d["reason"], str) or not WORD.match(d["reason"]) or not 1 <= len(d["keys"]) <= 3:
            raise Malformed("rotation")
        keys = [Key(k, announced=True) for k in d["keys"]]
        if len({k.purpose for k in keys}) != len(keys) or (d["reason"] == "compromise") != bool(d.get("compromised")):
            raise Malformed("rotation")
        if not signed:
            return
        for k in keys:
            known = self.keys.by_id(k.id)
            if known is None or not known.same(k) or k.first != at + 1 or not self.succeeds(known):
                self.fault(at)
                continue
            known.counts = True
            if d["reason"] == "compromise" and not known.pinned:
                self.fault(at)
            else:
                known.announced = True
        for key_id in d.get("compromised", []):
            known = self.keys.by_id(key_id)
            if known is None or known.valid(at + 1):
                self.fault(at)
            else:
                known.compromised = True

    def succeeds(self, key):
        others = [k for k in self.keys.list if k.purpose == key.purpose and k is not key]
        if any(k.valid(key.first) for k in others):
            return False
        return any(k.until == key.first for k in others) or all(k.first > key.first for k in others)

    def recover(self, at, d, signed):
        approvers, lost_until, want = d["approvers"], d["lost_until"], d.get("witnessed_root")
        if len(approvers) != 2 or approvers[0] == approvers[1] or not all(UUID.match(a) for a in approvers):
            raise Malformed("approvers")
        if d["lost_from"] != at or not position(lost_until) or lost_until <= at or "witnessed_root" in d and not HASH.match(want):
            raise Malformed("gap")
        last = self.gaps[-1][0] if self.gaps else 0
        if not position(d["epoch"]) or not last < d["epoch"] <= self.epoch:
            raise Malformed("epoch")
        if signed:
            self.gaps.append((d["epoch"], at, lost_until, want))

    def close(self, at, d, _):
        if d["size"] != at + 1:
            raise Malformed("size")

    def gap_after(self, epoch):
        return next((g for g in self.gaps if g[0] > epoch), None)

    # What vouches for the log.

    def check_roots(self):
        rights = [self.start]
        for size, epoch, want in self.anchors:
            gap = self.gap_after(epoch)
            if gap is not None and size > gap[1]:
                self.judge_lost(size, epoch, want, gap)
            elif size > self.size:
                self.fault(self.size)
            elif root(self.leaves[:size]) != want:
                self.fault(max(r for r in rights if r < size) if size > self.start else 0, size - 1)
            else:
                rights.append(size)

    def judge_lost(self, size, epoch, want, gap):
        begun, entry, lost_until, witnessed = gap
        if size > lost_until:
            self.fault(lost_until)
        elif size == lost_until and epoch + 1 == begun and witnessed is not None and want.hex() != witnessed:
            self.fault(entry)

    def check_receipts(self):
        for index, epoch, leaf in self.receipts:
            gap = self.gap_after(epoch)
            if gap is not None and index >= gap[1]:
                self.lost += 1
            elif index >= self.size or index >= self.start and self.leaves[index] != leaf:
                self.fault(index)

    def check_keys(self):
        firsts = set()
        for k in self.keys.list:
            if k.first == 0:
                if k.purpose in firsts:
                    self.fault(0)
                firsts.add(k.purpose)
            elif k.first <= self.size and not k.announced:
                unread = k.first <= self.start
                if unread and self.known.keys and not k.pinned:
                    self.fault(k.first - 1)
                if not unread and not (k.pinned and any(g[1] <= k.first - 1 < g[2] for g in self.gaps)):
                    self.fault(k.first - 1)
            ends = k.until is not None and self.start < k.until <= self.size and not k.end_pinned
            if ends and not any(o.purpose == k.purpose and o.first == k.until for o in self.keys.list):
                self.fault(k.until - 1)

    def check_epoch(self):
        if self.gaps:
            fits = self.gaps[-1][0] == self.epoch
        else:
            fits = self.base[1] == self.epoch if self.start else self.epoch <= 1
        if not fits:
            self.fault()

    def check_tiles(self):
        level, hashes = 0, self.leaves
        while hashes:
            for index, width in tiles(len(hashes)):
                have = self.files.get(tile_path(level, index, width), b"")
                for i, want in enumerate(hashes[index * WIDTH : index * WIDTH + width]):
                    if have[32 * i : 32 * i + 32] != want:
                        first = (index * WIDTH + i) * WIDTH**level
                        self.fault(first, first + WIDTH**level - 1)
                        break
            hashes = [root(hashes[i : i + WIDTH]) for i in range(0, len(hashes) - WIDTH + 1, WIDTH)]
            level += 1

    def lines(self, name):
        out = []
        for line in self.files.get(name, b"").split(b"\n")[:-1]:
            out.append(parse_object(line))
        return out

    def check_signatures(self):
        signed = {at: s for at, s in self.signatures.items() if at >= self.start}
        for at, e in enumerate(self.entries[self.start :], self.start):
            s = signed.pop(at, None)
            critical = e is not None and e.entry_class == 1
            if critical != (s is not None):
                self.fault(at)
            elif critical:
                if not self.signed(at) or len(unbase64(s["sig"])) != COMPOSITE_SIZES["signature"]:
                    self.fault(at)
        if signed:
            self.fault(min(signed))

    def check_personal(self):
        opened = {(o["seq"], o["c"]): o for o in self.lines("openings.jsonl") if o["seq"] >= self.start}
        erased = {(r["seq"], r["c"]): r for r in self.lines("redactions.jsonl")}
        for at, e in enumerate(self.entries):
            for c in e.commitments() if e else ():
                o, r = opened.pop((at, c), None), erased.get((at, c))
                if o is not None:
                    if commitment(unbase64(o["salt"], 32), o["value"].encode()).hex() != c or r is not None:
                        self.fault(at)
                elif r is None and self.log["openings"]:
                    self.fault(at)
        for at, _ in opened:
            self.fault(at)
        self.check_erasures(erased)

    def check_erasures(self, erased):
        by_entry = {}
        for (at, c), r in erased.items():
            by_entry.setdefault(r["entry"], []).append((at, c))
        for at, e in enumerate(self.entries[self.start :], self.start):
            announces = e is not None and e.scheme == 1 and e.action == b"personal_data_erased"
            pairs = by_entry.pop(at, [])
            if announces:
                d = e.details
                if d.get("erased_count") != len(pairs) or d.get("erased_digest") != erased_digest(pairs).hex():
                    self.fault(at)
            elif pairs:
                self.fault(at)
        for at in by_entry:
            if at >= self.start:
                self.fault(at)


def read_zip(path):
    with zipfile.ZipFile(path) as z:
        return {name: z.read(name) for name in z.namelist()}


# Vectors


def holds(check):
    try:
        return check() is not False
    except Malformed:
        return False


def entry_agrees(v):
    raw = bytes.fromhex(v["hex"])
    if not v["valid"]:
        return not holds(lambda: Entry(raw))
    e = Entry(raw)
    same = e.leaf().hex() == v["leaf"] and e.link().hex() == v["link"] and e.time == v["time"] and e.seq == v.get("seq", 0)
    return same and sorted(e.commitments()) == sorted(v.get("commitments", []))


def tree_agrees(v):
    leaves = [bytes.fromhex(h) for h in v["leaves"]]
    inclusion, consistency = ([bytes.fromhex(h) for h in v[p] or []] for p in ("inclusion", "consistency"))
    want, old = bytes.fromhex(v["root"]), bytes.fromhex(v["old_root"])
    size, index, before = len(leaves), v["index"], v["old_size"]
    included = holds(lambda: root_from_inclusion(inclusion, index, size, leaves[index]) == want)
    grown = holds(lambda: roots_from_consistency(consistency, before, size, old) == (old, want))
    return (included and grown and root(leaves) == want) == v["valid"] and included == grown == v["valid"]


def note_agrees(v):
    keys = Keys(v["keys"])
    check = open_checkpoint if v["kind"] == "checkpoint" else open_receipt
    return holds(lambda: check(v["text"], keys)) == (v["valid"] or v.get("composite", False))


def cosignature_agrees(v):
    def check():
        (name, blob), = split_note(v["text"] + "\n" + v["line"])[1]
        w = Witness(v["key"])
        if (name, blob[:4]) != (w.name, w.key_hash):
            return False
        return w.check(v["text"], blob[4:]) == v.get("time") or not v["valid"]

    return holds(check) == (v["valid"] or v.get("mldsa", False))


def export_agrees(v, directory):
    export = Export(read_zip("%s/exports/%s" % (directory, v["file"])), Known(v))
    faults = export.verify()
    if v["intact"] or v.get("composite"):
        told = (len(export.gaps), export.lost, export.closed)
        return not faults and told == (v.get("gaps", 0), v.get("lost_receipts", 0), v.get("closed", False))
    return bool(faults) and faults[0] == (v.get("first"), v.get("last"))


def check_vectors(directory):
    def load(name):
        with open("%s/%s.json" % (directory, name), encoding="utf-8") as f:
            return json.load(f)

    checks = {
        "entries": entry_agrees,
        "details": lambda v: holds(lambda: parse_details(base64.b64decode(v["base64"]))) == v["valid"],
        "trees": tree_agrees,
        "personal": lambda v: (commitment(bytes.fromhex(v["salt"]), v["value"].encode()).hex() == v["commitment"]) == v["valid"],
        "erasures": lambda v: erased_digest(zip(v["seqs"], v["commitments"])).hex() == v["digest"],
        "notes": note_agrees,
        "exports": lambda v: export_agrees(v, directory),
        "life": lambda v: export_agrees(v, directory),
        "cosignatures": cosignature_agrees,
    }
    total, wrong = 0, 0
    for name, agrees in checks.items():
        for v in load(name):
            total += 1
            if not agrees(v):
                wrong += 1
                print("disagrees: %s: %s" % (name, v["name"]))
    print("%d vectors, %d disagree" % (total, wrong))
    return 1 if wrong else 0


def main(arguments):
    if len(arguments) == 2 and arguments[0] == "--vectors":
        return check_vectors(arguments[1])
    worst = 0 if arguments else 2
    for path in arguments:
        try:
            export = Export(read_zip(path))
            faults = export.verify()
        except (Malformed, KeyError, OSError, ValueError, zipfile.BadZipFile) as err:
            print("%s: unusable (%s)" % (path, type(err).__name__))
            worst = 2
            continue
        if faults:
            where = "entry %s" % faults[0][0] if faults[0][0] is not None else "no entry in particular"
            print("%s: broken, first at %s" % (path, where))
            worst = max(worst, 1)
        else:
            print("%s: intact" % path)
        for epoch, entry, lost_until, _ in export.gaps:
            print("%s: DECLARED GAP: entries %d to %d were lost, epoch %d began" % (path, entry, lost_until - 1, epoch))
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
