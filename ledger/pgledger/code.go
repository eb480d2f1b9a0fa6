package pgledger

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"time"

	"github.com/pioneerdesk/tomkit/ledger/verify"
)

// code returns what lets the rows in. Their positions are in the leaves.
func (r *rows) code(k *keyring) []byte {
	mac := k.mac("append")
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(len(r.inputs))))
	mac.Write(r.leaves)
	mac.Write(r.cuts)
	for _, list := range [][][]byte{r.signatures, r.openings} {
		sum := arraySum(list)
		mac.Write(sum[:])
	}
	mac.Write([]byte(r.key))
	return mac.Sum(nil)
}

// mac begins a code under the door key.
func (k *keyring) mac(purpose string) hash.Hash {
	mac := hmac.New(sha256.New, k.door[:])
	mac.Write([]byte("tomkit/ledger/" + purpose + "/v1\x00"))
	mac.Write(k.tenant[:])
	mac.Write(binary.BigEndian.AppendUint32(nil, uint32(k.generation)))
	return mac
}

// OIDs of the types whose binary form is authenticated.
const (
	oidBytea       = 17
	oidInteger     = 23
	oidText        = 25
	oidJSON        = 114
	oidByteaArray  = 1001
	oidTimestamptz = 1184
	oidUUID        = 2950
)

// postgresEpoch is 2000-01-01, where PostgreSQL's times start, in microseconds since 1970.
const postgresEpoch = 946684800 * 1e6

// recordCode returns what lets one entry in: an HMAC over the arguments as PostgreSQL's record_send makes them of a row,
// which is the number of columns and then each one's type, length and binary form. A test compares it with the server's.
func (k *keyring) recordCode(at time.Time, front, back []byte, e *verify.Entry, openings [][]byte) []byte {
	r := binary.BigEndian.AppendUint32(make([]byte, 0, 512+2*len(back)), 13)
	field := func(oid uint32, value []byte) {
		r = binary.BigEndian.AppendUint32(r, oid)
		if value == nil {
			r = binary.BigEndian.AppendUint32(r, null)
			return
		}
		r = binary.BigEndian.AppendUint32(r, uint32(len(value)))
		r = append(r, value...)
	}
	var user []byte
	if e.User != nil {
		user = e.User[:]
	}
	field(oidUUID, k.tenant[:])
	field(oidInteger, binary.BigEndian.AppendUint32(nil, uint32(k.generation)))
	field(oidTimestamptz, binary.BigEndian.AppendUint64(nil, uint64(at.UnixMicro()-postgresEpoch)))
	field(oidBytea, front)
	field(oidBytea, back)
	field(oidUUID, e.ID[:])
	field(oidUUID, user)
	field(oidText, []byte(e.Action))
	field(oidText, []byte(e.EntityType))
	field(oidText, []byte(e.EntityID))
	field(oidJSON, e.Details)
	field(oidText, []byte(e.Narrative))
	field(oidByteaArray, appendArray(nil, openings))
	mac := hmac.New(sha256.New, k.door[:])
	mac.Write([]byte("tomkit/ledger/record/v1"))
	mac.Write(r)
	return mac.Sum(nil)
}

// null stands for the length of NULL.
const null = 1<<32 - 1

// arraySum is SHA-256 over an array of bytea in binary form.
func arraySum(list [][]byte) [32]byte {
	n := 0
	for _, e := range list {
		n += 4 + len(e)
	}
	return sha256.Sum256(appendArray(make([]byte, 0, 20+n), list))
}

// appendArray appends what PostgreSQL's array_send makes of a bytea[]: dimensions, whether there are NULLs, element type,
// and for each dimension its length and lower bound; then each element behind its length. A test compares it with the
// server's.
func appendArray(b []byte, list [][]byte) []byte {
	if len(list) == 0 {
		return append(b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, oidBytea)
	}
	nulls := uint32(0)
	for _, e := range list {
		if e == nil {
			nulls = 1
		}
	}
	for _, n := range []uint32{1, nulls, oidBytea, uint32(len(list)), 1} {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	for _, e := range list {
		if e == nil {
			b = binary.BigEndian.AppendUint32(b, null)
			continue
		}
		b = binary.BigEndian.AppendUint32(b, uint32(len(e)))
		b = append(b, e...)
	}
	return b
}
