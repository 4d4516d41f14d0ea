package main

import (
	"encoding/binary"
)

// Tables that the victims' planted rows are in. No TiDB of a fresh tenant uses these ids.
const (
	knownTable  = 7001
	secretTable = 7002
)

func tableKey(table uint64, rest ...byte) []byte {
	key := binary.BigEndian.AppendUint64([]byte{'t'}, 1<<63^table)
	return append(key, rest...)
}

func rowKey(table, handle uint64) []byte {
	return binary.BigEndian.AppendUint64(tableKey(table, '_', 'r'), 1<<63^handle)
}

// secretKey can't be guessed: the secret itself is in it.
func secretKey(t Tenant) []byte {
	key := binary.BigEndian.AppendUint64(tableKey(secretTable, '_', 'i'), 1<<63^1)
	return append(append(key, 1), memcomparable([]byte(t.secret()))...)
}

func metaKey(rest string) []byte { return []byte("mHostile" + rest) }

// physical is a key of a tenant as table mode stores it (contracts: on-disk formats).
func physical(tenant int, key []byte) []byte {
	if tenant == 0 || len(key) == 0 {
		return key
	}
	tag := binary.BigEndian.AppendUint16(nil, uint16(tenant))
	switch {
	case key[0] == 'm':
		return append(append([]byte{'m', 1}, tag...), key[1:]...)
	case len(key) >= 3:
		stored := append([]byte{}, key...)
		stored[1] |= tag[0]
		stored[2] |= tag[1]
		return stored
	default:
		return key
	}
}

// memcomparable is TiKV's order-preserving form of a key: groups of eight bytes, each followed by
// a byte that tells how many of them are padding.
func memcomparable(key []byte) []byte {
	var out []byte
	for {
		var group [8]byte
		n := copy(group[:], key)
		out = append(append(out, group[:]...), byte(0xFF-(8-n)))
		if n < 8 {
			return out
		}
		key = key[8:]
	}
}

// decoded is the key of a memcomparable one; what follows its last group is left out.
func decoded(encoded []byte) []byte {
	var key []byte
	for len(encoded) >= 9 {
		padding := int(0xFF - encoded[8])
		if padding > 0 {
			return append(key, encoded[:max(8-padding, 0)]...)
		}
		key, encoded = append(key, encoded[:8]...), encoded[9:]
	}
	return key
}
