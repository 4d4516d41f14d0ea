package main

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"

	"completeness"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/types/descriptorpb"
)

type fieldProto = descriptorpb.FieldDescriptorProto

// maxDepth bounds how deep fields of nested messages are attacked.
const maxDepth = 5

// forger makes messages of the real protocol's types, as wire bytes: an honest one, and the same
// with one field (or all fields of a kind) replaced by what a tenant may not name.
type forger struct {
	protocol *completeness.Protocol
	values   *values
	// known holds the leaves of messages that were asked for.
	known sync.Map
}

// attempt is one message to send, and what is wrong with it. It is made when it is sent: most of
// what could be tried is not chosen.
type attempt struct {
	kind  string
	field string
	why   string
	forge func() []byte
}

// changes are fields' contents by path; "!" as last step means bytes appended to that message.
type changes map[string][]byte

// Kinds of wrong beside those of values (see values.go).
const (
	wrongNot      = "honest"
	wrongVictim   = "a victim's in all fields"
	wrongRegion   = "a victim's region"
	wrongRange    = "range"
	wrongReversed = "reversed range"
	wrongEmpty    = "empty"
	wrongLarge    = "oversized"
	wrongForm     = "malformed"
	wrongUnknown  = "unknown field"
	wrongRepeat   = "repeated or of another type"
)

// oversized is what no honest client's key, name or payload reaches.
const oversized = 30_000

// attempts lists what to send of a message type, at most limit: the honest one first, then each
// kind of wrong in turn, and within a kind each field in turn, so that a small number still has some
// of everything. Which values, the seed decides.
func (f *forger) attempts(message string, limit int, rng *rand.Rand) []attempt {
	var all []attempt
	all = append(all, f.victims(message)...)
	all = append(all, f.oneField(message)...)
	all = append(all, f.bounds(message)...)
	all = append(all, f.broken(message)...)
	byKind := grouped(all, rng, func(a attempt) string { return a.kind })
	for i, kind := range byKind {
		byKind[i] = inTurn(grouped(kind, rng, func(a attempt) string { return a.field }))
	}
	honest := attempt{wrongNot, "", "honest", f.maker(message, nil, f.values.home)}
	list := append([]attempt{honest}, inTurn(byKind)...)
	return list[:min(len(list), limit)]
}

// grouped splits a list by a name; both the groups and what is in them come in a seeded order.
func grouped(list []attempt, rng *rand.Rand, name func(attempt) string) [][]attempt {
	index := map[string]int{}
	var groups [][]attempt
	for _, i := range rng.Perm(len(list)) {
		at, known := index[name(list[i])]
		if !known {
			at = len(groups)
			index[name(list[i])] = at
			groups = append(groups, nil)
		}
		groups[at] = append(groups[at], list[i])
	}
	// By what they hold alone, a large group would nearly always come first.
	rng.Shuffle(len(groups), func(i, j int) { groups[i], groups[j] = groups[j], groups[i] })
	return groups
}

// inTurn takes one of each group, then the next of each.
func inTurn(groups [][]attempt) []attempt {
	var list []attempt
	for round, left := 0, true; left; round++ {
		left = false
		for _, group := range groups {
			if round < len(group) {
				list, left = append(list, group[round]), true
			}
		}
	}
	return list
}

func (f *forger) maker(message string, change changes, place place) func() []byte {
	return func() []byte { return f.encode(message, "", change, place) }
}

// oneField changes a single field of an honest message.
func (f *forger) oneField(message string) []attempt {
	var list []attempt
	for _, leaf := range f.leavesOf(message) {
		for i, value := range f.values.of(leaf.kind) {
			kind := leaf.kind
			switch {
			case len(value) == 0:
				kind = wrongEmpty
			case len(value) > oversized:
				kind = wrongLarge
			}
			why := fmt.Sprintf("%s: %s %d", leaf.path, leaf.kind, i)
			list = append(list, attempt{kind, leaf.path, why, f.maker(message, changes{leaf.path: value}, f.values.home)})
		}
	}
	return list
}

// bounds changes two fields that are the sides of a range.
func (f *forger) bounds(message string) []attempt {
	var list []attempt
	for _, pair := range rangePairs(f.leavesOf(message)) {
		for i, bounds := range f.values.ranges(pair[0].kind) {
			kind := wrongRange
			if len(bounds[1]) > 0 && bytes.Compare(bounds[0], bounds[1]) > 0 {
				kind = wrongReversed
			}
			change := changes{pair[0].path: bounds[0], pair[1].path: bounds[1]}
			why := fmt.Sprintf("%s, %s: range %d", pair[0].path, pair[1].path, i)
			for _, place := range f.values.places(i) {
				list = append(list, attempt{kind, pair[0].path, why, f.maker(message, change, place)})
			}
		}
	}
	return list
}

// victims are each victim's values in all fields at once, and each victim's regions.
func (f *forger) victims(message string) []attempt {
	list := []attempt{{wrongEmpty, "", "no field at all", func() []byte { return nil }}}
	for i, victim := range f.values.all() {
		change := changes{}
		for _, leaf := range f.leavesOf(message) {
			if value, ok := victim[leaf.kind]; ok && strings.Count(leaf.path, ".") <= 3 {
				change[leaf.path] = value
			}
		}
		for _, place := range []place{f.values.home, f.values.everywhere[2*i]} {
			list = append(list, attempt{wrongVictim, "", fmt.Sprintf("all fields of victim %d", i), f.maker(message, change, place)})
		}
	}
	for _, place := range f.values.everywhere {
		list = append(list, attempt{wrongRegion, "", "a victim's region", f.maker(message, nil, place)})
	}
	return list
}

// broken are messages that no client would write.
func (f *forger) broken(message string) []attempt {
	honest := f.maker(message, nil, f.values.home)
	var list []attempt
	for i, junk := range malformed {
		kind := wrongForm
		if i < unknownFields {
			kind = wrongUnknown
		}
		list = append(list, attempt{kind, "", fmt.Sprintf("malformed %d", i), func() []byte { return append(honest(), junk...) }})
		for _, field := range f.protocol.Messages[message].GetField() {
			if isMessage(field) {
				path := "." + field.GetName() + ".!"
				list = append(list, attempt{kind, path, fmt.Sprintf("%s malformed %d", path, i), f.maker(message, changes{path: junk}, f.values.home)})
			}
		}
	}
	for _, field := range f.protocol.Messages[message].GetField() {
		list = append(list, f.wronglyTyped(message, field, honest)...)
	}
	return append(list, attempt{wrongForm, "", "cut", func() []byte { whole := honest(); return whole[:max(len(whole)-1, 0)] }})
}

// wronglyTyped gives a field twice, and with another wire type than it has.
func (f *forger) wronglyTyped(message string, field *fieldProto, honest func() []byte) []attempt {
	number, path := protowire.Number(field.GetNumber()), "."+field.GetName()
	var value []byte
	if values := f.values.of(f.kindOf(message, field)); len(values) > 0 {
		value = values[0]
	}
	again := f.maker(message, changes{path: value}, f.values.home)
	return []attempt{
		{wrongRepeat, path, path + " twice", func() []byte { return append(again(), again()...) }},
		{wrongRepeat, path, path + " of another wire type", func() []byte {
			return protowire.AppendFixed64(protowire.AppendTag(honest(), number, protowire.Fixed64Type), 7)
		}},
	}
}

// unknownFields is how many of malformed are well-formed, with a field that no message has.
const unknownFields = 5

// malformed: unknown fields of each wire type, groups, a non-minimal tag, half a field.
var malformed = [][]byte{
	protowire.AppendVarint(protowire.AppendTag(nil, 29999, protowire.VarintType), 1),
	protowire.AppendBytes(protowire.AppendTag(nil, 29999, protowire.BytesType), []byte("/tidb-mesh/v1/tenants/")),
	protowire.AppendFixed32(protowire.AppendTag(nil, 29999, protowire.Fixed32Type), 1),
	protowire.AppendFixed64(protowire.AppendTag(nil, 29999, protowire.Fixed64Type), 1),
	protowire.AppendTag(protowire.AppendTag(nil, 29999, protowire.StartGroupType), 29999, protowire.EndGroupType),
	{0x8A, 0x80, 0x00, 0x01, 'x'},
	{0x0A, 0xFF, 0xFF, 0xFF, 0xFF, 0x0F},
	{0x02, 0x01, 'x'},
	{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01},
}

func (f *forger) leavesOf(message string) []leaf {
	if known, ok := f.known.Load(message); ok {
		return known.([]leaf)
	}
	var found []leaf
	f.leaves(message, "", nil, &found)
	f.known.Store(message, found)
	return found
}

// leaf is a field that holds no message.
type leaf struct {
	path   string
	parent string
	kind   string
}

func (f *forger) leaves(message, path string, above []string, into *[]leaf) {
	above = append(slices.Clone(above), message)
	for _, field := range f.protocol.Messages[message].GetField() {
		here := path + "." + field.GetName()
		if !isMessage(field) {
			*into = append(*into, leaf{here, path, f.kindOf(message, field)})
			continue
		}
		inner := strings.TrimPrefix(field.GetTypeName(), ".")
		if len(above) < maxDepth && !slices.Contains(above, inner) {
			f.leaves(inner, here, above, into)
		}
	}
}

// rangePairs finds the bounds that stand side by side.
func rangePairs(leaves []leaf) [][2]leaf {
	names := [][2]string{{"start_key", "end_key"}, {"start", "end"}, {"key", "range_end"}, {"low", "high"}}
	var pairs [][2]leaf
	for _, low := range leaves {
		for _, high := range leaves {
			for _, name := range names {
				if low.path == low.parent+"."+name[0] && high.path == low.parent+"."+name[1] {
					pairs = append(pairs, [2]leaf{low, high})
				}
			}
		}
	}
	return pairs
}

// encode writes a message: what is changed, and beside it what an honest client sends.
func (f *forger) encode(message, path string, change changes, place place) []byte {
	var out []byte
	for _, field := range f.protocol.Messages[message].GetField() {
		here := path + "." + field.GetName()
		number := protowire.Number(field.GetNumber())
		changed := f.touches(change, here)
		if isMessage(field) {
			if changed || honestMessage(message, field) {
				inner := f.encode(strings.TrimPrefix(field.GetTypeName(), "."), here, change, place)
				out = protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), inner)
			}
			continue
		}
		value, given := change[here]
		if !given && !excludedByOneof(f.protocol.Messages[message], field, path, change) {
			value, given = f.values.honest(message, field, place)
		}
		if given {
			out = appendScalar(out, number, field.GetType(), value)
		}
	}
	return append(out, change[path+".!"]...)
}

func (f *forger) touches(change changes, path string) bool {
	for changed := range change {
		if strings.HasPrefix(changed, path+".") {
			return true
		}
	}
	return false
}

func excludedByOneof(message *descriptorpb.DescriptorProto, field *fieldProto, path string, change changes) bool {
	return field.OneofIndex != nil && slices.ContainsFunc(message.GetField(), func(other *fieldProto) bool {
		_, changed := change[path+"."+other.GetName()]
		return changed && other.OneofIndex != nil && other.GetOneofIndex() == field.GetOneofIndex()
	})
}

// appendScalar writes a value that the tables of values hold as bytes: numbers as varints.
func appendScalar(out []byte, number protowire.Number, kind descriptorpb.FieldDescriptorProto_Type, value []byte) []byte {
	switch kind {
	case descriptorpb.FieldDescriptorProto_TYPE_BYTES, descriptorpb.FieldDescriptorProto_TYPE_STRING:
		return protowire.AppendBytes(protowire.AppendTag(out, number, protowire.BytesType), value)
	case descriptorpb.FieldDescriptorProto_TYPE_DOUBLE:
		return protowire.AppendFixed64(protowire.AppendTag(out, number, protowire.Fixed64Type), math.Float64bits(7))
	case descriptorpb.FieldDescriptorProto_TYPE_FIXED64, descriptorpb.FieldDescriptorProto_TYPE_SFIXED64:
		plain, _ := protowire.ConsumeVarint(value)
		return protowire.AppendFixed64(protowire.AppendTag(out, number, protowire.Fixed64Type), plain)
	case descriptorpb.FieldDescriptorProto_TYPE_FLOAT, descriptorpb.FieldDescriptorProto_TYPE_FIXED32, descriptorpb.FieldDescriptorProto_TYPE_SFIXED32:
		plain, _ := protowire.ConsumeVarint(value)
		return protowire.AppendFixed32(protowire.AppendTag(out, number, protowire.Fixed32Type), uint32(plain))
	default:
		return append(protowire.AppendTag(out, number, protowire.VarintType), value...)
	}
}

func isMessage(field *fieldProto) bool {
	return field.GetType() == descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
}
