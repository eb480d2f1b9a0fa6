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


# Keys and checkpoints


class Keys:
    """The key history."""

    def __init__(self, document):
        self.origin, self.keys = document["origin"], document["keys"]
        if document["format"] != "tomkit-keys/v1":
            raise Malformed("keys")
        for k in self.keys:
            k["raw"] = unbase64(k["public"])
            if k["id"] != sha256(k["algorithm"].encode(), b"\0", k["raw"])[:8].hex():
                raise Malformed("key id")

    def valid(self, purpose, position):
        return [k for k in self.keys if k["purpose"] == purpose and k.get("from", 0) <= position and position < k.get("until", 1 << 64)]


def parse_checkpoint(text):
    lines = text.split("\n")
    if len(lines) != 4 or lines[3]:
        raise Malformed("checkpoint")
    if len(lines[0]) > 255 or not re.fullmatch(r"[a-z0-9.:-]+/ledger/[0-9a-f]{32}/(0|[1-9][0-9]*)", lines[0]):
        raise Malformed("origin")
    return lines[0], number(lines[1]), unbase64(lines[2], 32)


def open_checkpoint(signed, keys):
    """Origin, size and root of a checkpoint whose Ed25519 line is right and whose composite line has the right form."""
    text, separator, lines = signed.partition("\n\n")
    if not separator or not lines.endswith("\n"):
        raise Malformed("note")
    text += "\n"
    origin, size, head = parse_checkpoint(text)
    if origin != keys.origin:
        raise Malformed("origin")
    have = set()
    for line in lines[:-1].split("\n"):
        parts = re.fullmatch("\u2014 ([^ +]+) ([^ ]+)", line)
        if not parts:
            raise Malformed("signature line")
        blob = unbase64(parts[2])
        for k in keys.keys if parts[1] == origin else ():
            if blob[:4] == note_key_id(origin, k) and line_fits(k, size):
                check_line(k, blob[4:], text)
                have.add(k["purpose"])
    if "checkpoint" not in have or keys.valid("checkpoint-ed25519", size) and "checkpoint-ed25519" not in have:
        raise Malformed("not signed")
    return origin, size, head


def line_fits(key, size):
    return key["purpose"] in ("checkpoint", "checkpoint-ed25519") and key.get("from", 0) <= size < key.get("until", 1 << 64)


def note_key_id(name, key):
    kind = b"\xff" + OID if key["algorithm"] == COMPOSITE else b"\x01"
    return sha256(name.encode(), b"\n", kind, key["raw"])[:4]


def check_line(key, signature, text):
    if key["algorithm"] == COMPOSITE:
        if len(signature) != COMPOSITE_SIZES["signature"]:
            raise Malformed("composite signature")
        return
    try:
        Ed25519PublicKey.from_public_bytes(key["raw"]).verify(signature, text.encode())
    except InvalidSignature:
        raise Malformed("signature") from None


def open_receipt(text, keys):
    head, separator, signed = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or len(lines) < 3 or lines[0] != "c2sp.org/tlog-proof@v1" or not lines[1].startswith("extra ") or not lines[2].startswith("index "):
        raise Malformed("receipt")
    leaf, index = unbase64(lines[1][6:], 32), number(lines[2][6:])
    proof = [unbase64(line, 32) for line in lines[3:]]
    _, size, want = open_checkpoint(signed, keys)
    if root_from_inclusion(proof, index, size, leaf) != want:
        raise Malformed("proof")


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


class Export:
    """An export as a dictionary of its files, and what is wrong with it: (first, last) or (None, None)."""

    def __init__(self, files):
        self.files, self.faults = files, []
        self.keys = Keys(json.loads(files["keys.json"]))
        self.log = json.loads(files["log.json"])
        self.size, self.entries, self.leaves = 0, [], []

    def fault(self, first=None, last=None):
        self.faults.append((first, first if last is None else last))

    def verify(self):
        try:
            _, self.size, self.head = open_checkpoint(self.files["checkpoint"].decode(), self.keys)
        except Malformed:
            self.fault()
            _, self.size, self.head = parse_checkpoint(self.files["checkpoint"].decode().partition("\n\n")[0] + "\n")
        self.check_entries()
        if len(self.entries) == self.size:
            self.check_roots()
            self.check_tiles()
            self.check_signatures()
            self.check_personal()
        self.faults.sort(key=lambda f: (1 << 64, 0) if f[0] is None else (f[1], -f[0]))
        return self.faults

    def bundles(self):
        for index, width in tiles(self.size):
            rest = self.files.get(tile_path("entries", index, width), b"")
            while rest:
                n = int.from_bytes(rest[:2], "big")
                yield rest[2 : 2 + n]
                rest = rest[2 + n :]

    def check_entries(self):
        published = b"".join(self.files.get(tile_path(0, i, w), b"") for i, w in tiles(self.size))
        tenant, previous, micros = None, GENESIS, 0
        for at, raw in enumerate(self.bundles()):
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
        if len(self.entries) < self.size:
            self.fault(len(self.entries))

    def check_roots(self):
        right = 0
        for name in sorted(n for n in self.files if n.startswith("checkpoints/")):
            try:
                _, size, want = open_checkpoint(self.files[name].decode(), self.keys)
            except Malformed:
                self.fault()
                continue
            if size > self.size or "checkpoints/%020d" % size != name:
                self.fault()
            elif root(self.leaves[:size]) != want:
                self.fault(right, size - 1)
            else:
                right = size
        if root(self.leaves) != self.head:
            self.fault(right, self.size - 1)

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
        signed = {s["seq"]: s for s in self.lines("signatures.jsonl")}
        for at, e in enumerate(self.entries):
            s = signed.pop(at, None)
            critical = e is not None and e.entry_class == 1
            if critical != (s is not None):
                self.fault(at)
            elif critical:
                fits = s["key"] in [k["id"] for k in self.keys.valid("entry", at)]
                if not fits or len(unbase64(s["sig"])) != COMPOSITE_SIZES["signature"]:
                    self.fault(at)
        if signed:
            self.fault(min(signed))

    def check_personal(self):
        opened = {(o["seq"], o["c"]): o for o in self.lines("openings.jsonl")}
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
        for at, e in enumerate(self.entries):
            announces = e is not None and e.scheme == 1 and e.action == b"personal_data_erased"
            pairs = by_entry.pop(at, [])
            if announces:
                d = e.details
                if d.get("erased_count") != len(pairs) or d.get("erased_digest") != erased_digest(pairs).hex():
                    self.fault(at)
            elif pairs:
                self.fault(at)
        for at in by_entry:
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


def export_agrees(v, directory):
    faults = Export(read_zip("%s/exports/%s" % (directory, v["file"]))).verify()
    if v["intact"] or v.get("composite"):
        return not faults
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
            faults = Export(read_zip(path)).verify()
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
    return worst


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
