package main

import "google.golang.org/protobuf/encoding/protowire"

// Coprocessor plans (tipb), written by hand because the numbers of a few fields are all it takes.

func field(number protowire.Number, value []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, number, protowire.BytesType), value)
}

func plain(number protowire.Number, value uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), value)
}

func join(parts ...[]byte) []byte {
	var out []byte
	for _, part := range parts {
		out = append(out, part...)
	}
	return out
}

// column is one column of a scan: id, and a type (8 is BIGINT, 15 VARCHAR).
func column(id int64, tp uint64) []byte { return join(plain(1, uint64(id)), plain(2, tp)) }

func dag(executors ...[]byte) []byte {
	request := join(plain(3, 0), plain(4, 0), plain(5, 0))
	for _, executor := range executors {
		request = append(request, field(2, executor)...)
	}
	return request
}

func tableScan(table uint64, columns ...[]byte) []byte {
	scan := plain(1, table)
	for _, column := range columns {
		scan = append(scan, field(2, column)...)
	}
	return join(plain(1, 0), field(2, scan))
}

func indexScan(table uint64) []byte {
	return join(plain(1, 1), field(3, join(plain(1, table), plain(2, 1), field(3, column(1, 15)))))
}

// hostilePlans: an honest scan first, then everything in a plan that names a table, a key, a
// server or an index of somebody else's.
func hostilePlans(scene *Scene) [][]byte {
	plans := [][]byte{dag(tableScan(knownTable, column(1, 8)))}
	for _, victim := range scene.victims() {
		table := uint64(victim.ID)<<48 | knownTable
		scan := tableScan(table, column(1, 8), column(-3, 8))
		lookUp := join(plain(1, 18), field(24, join(field(1, indexScan(table)), field(2, tableScan(table, column(1, 8))))))
		partitions := join(plain(1, 12), field(14, join(plain(1, table), field(2, column(1, 8)), plain(6, table))))
		ranged := join(plain(1, 0), field(2, join(plain(1, table), field(2, column(1, 8)),
			field(6, join(field(1, physical(victim.ID, rowKey(knownTable, 1))), field(2, physical(victim.ID, rowKey(knownTable, 99))))))))
		exchange := join(plain(1, 10), field(8, field(1, []byte(respelt(victim.store())))))
		checksum := join(plain(2, 0), plain(3, 0), field(4, join(field(1, tableKey(knownTable)), field(2, physical(victim.ID, tableKey(knownTable))))))
		plans = append(plans, dag(scan), dag(indexScan(table)), dag(lookUp), dag(partitions), dag(ranged), dag(exchange), checksum,
			field(17, scan), field(17, lookUp))
	}
	for analyze := range uint64(7) {
		plans = append(plans, join(plain(1, analyze), plain(3, 0), field(5, join(plain(1, 10), plain(2, 1))), field(6, join(plain(1, 10), plain(2, 10), plain(3, 10)))))
	}
	kill, broadcast := join(plain(1, 8), field(11, plain(1, 1))), join(plain(1, 17), field(21, field(1, []byte("SELECT 1"))))
	return append(plans, nil, []byte{0xFF}, dag(), dag(kill), dag(broadcast), dag(tableScan(knownTable, column(-3, 8))),
		dag(tableScan(1<<63|knownTable, column(1, 8))))
}
