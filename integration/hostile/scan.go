package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A secret is one three-letter unit many times over, so that any eight bytes of it (a group of a
// memcomparable key) hold the first five letters of unit+unit in a row, whatever the alignment.
// Attacks never contain a unit: wherever one turns up in an answer, it was read from a victim.
type leakPattern struct {
	what string
	find *regexp.Regexp
	// needle is in whatever find matches, in small letters: looked for first, because it is quick.
	needle []byte
	// Told by the attacker itself in the same call, an echo is no leak.
	echoAllowed bool
}

type scanner struct {
	patterns []leakPattern
	// own finds what the attacker itself wrote somewhere and may read back later.
	own *regexp.Regexp
}

func newScanner(scene *Scene) *scanner {
	s := &scanner{own: ownInput(scene)}
	for _, victim := range scene.victims() {
		s.addUnit(victim)
	}
	for _, port := range scene.SecretPorts {
		s.add(fmt.Sprintf("port %d", port), fmt.Sprintf(`[:"]%d(?:\D|$)`, port), fmt.Sprint(port), true)
	}
	for _, victim := range scene.Tenants[1:] {
		s.add("name "+victim.Name, regexp.QuoteMeta(victim.Name), victim.Name, true)
	}
	for _, tenant := range scene.Tenants {
		what := "physical key of " + tenant.Name
		tag := binary.BigEndian.AppendUint16(nil, uint16(tenant.ID))
		s.addBytes(what, append([]byte{'t', 0x80 | tag[0], tag[1]}, 0), true)
		s.addBytes(what, append([]byte{'m', 1}, tag...), true)
	}
	return s
}

func (s *scanner) addUnit(victim Tenant) {
	what := "secret of " + victim.Name
	twice := victim.Unit + victim.Unit
	s.add(what, "(?i)"+twice[:5], twice[:5], false)
	s.addBytes(what, []byte(twice[:5]), false)
	for turn := range 3 {
		turned := victim.Unit[turn:] + victim.Unit[:turn]
		encoded := strings.Repeat(base64.StdEncoding.EncodeToString([]byte(turned)), 2)
		s.add(what+" in base64", encoded, encoded, false)
	}
}

// addBytes looks for bytes in every form in which a server could print them.
func (s *scanner) addBytes(what string, raw []byte, echoAllowed bool) {
	quoted := func(format, joint string) string {
		parts := make([]string, len(raw))
		for i, b := range raw {
			parts[i] = fmt.Sprintf(format, b)
		}
		return strings.Join(parts, joint)
	}
	// Go's and Rust's escapes leave printable bytes as they are.
	mixed := func(format string) string {
		var out strings.Builder
		for _, b := range raw {
			if b > 0x20 && b < 0x7F {
				out.WriteByte(b)
			} else {
				fmt.Fprintf(&out, format, b)
			}
		}
		return out.String()
	}
	literal := func(form, text string) { s.add(what+form, "(?i)"+regexp.QuoteMeta(text), text, echoAllowed) }
	s.add(what+" as bytes", "(?s:"+quoted(`\x%02x`, "")+")", string(raw), echoAllowed)
	s.add(what+" in decimals", quoted("%d", `,? +`), fmt.Sprint(raw[0]), echoAllowed)
	literal(" in hex", hex.EncodeToString(raw))
	literal(" URL-escaped", quoted(`%%%02x`, ""))
	literal(" URL-escaped", mixed(`%%%02x`))
	literal(" escaped", mixed(`\x%02x`))
	literal(" in octal", mixed(`\%03o`))
}

func (s *scanner) add(what, expression, needle string, echoAllowed bool) {
	s.patterns = append(s.patterns, leakPattern{what, regexp.MustCompile(expression), lowered([]byte(needle)), echoAllowed})
}

// lowered has ASCII's capitals small and all other bytes as they are.
func lowered(raw []byte) []byte {
	out := slices.Clone(raw)
	for i, b := range out {
		if 'A' <= b && b <= 'Z' {
			out[i] = b + 'a' - 'A'
		}
	}
	return out
}

// leaks names what an answer reveals. Text and bytes are searched alike; bytes above 0x7F are
// widened to runes first, because expressions are over runes.
func (s *scanner) leaks(answer, sent []byte) []string {
	// Searching is slow, and finding the own input in it slower: most answers need neither.
	short := squeezed(answer)
	small := lowered(short)
	candidates := slices.DeleteFunc(slices.Clone(s.patterns), func(p leakPattern) bool { return !bytes.Contains(small, p.needle) })
	if len(candidates) == 0 {
		return nil
	}
	wide := widen(short)
	if !slices.ContainsFunc(candidates, func(p leakPattern) bool { return p.find.Match(wide) }) {
		return nil
	}
	wide = s.own.ReplaceAll(wide, []byte(" ~ "))
	var wideSent []byte
	var found []string
	for _, pattern := range candidates {
		hit := pattern.find.Find(wide)
		if hit == nil {
			continue
		}
		if pattern.echoAllowed {
			if wideSent == nil {
				wideSent = widen(sent)
			}
			if bytes.Contains(bytes.ToLower(wideSent), bytes.ToLower(hit)) || pattern.find.Match(wideSent) {
				continue
			}
		}
		found = append(found, fmt.Sprintf("%s (%.60q)", pattern.what, hit))
	}
	return found
}

// ownInput finds the attacker's own spelling of addresses (servers write theirs in digits), and
// the whole foreign keys that it uses as keys of its own: a row or a region's bound of that name
// is the attacker's. Of what else begins with a victim's prefix nothing is left out.
func ownInput(scene *Scene) *regexp.Regexp {
	forms := []string{localSpelling + `:\d+`}
	for _, key := range hostileKeys(scene) {
		if len(key) < 12 || len(key) > 200 {
			continue
		}
		for _, form := range [][]byte{memcomparable(memcomparable(key)), memcomparable(key), key} {
			forms = append(forms, "(?i:"+hex.EncodeToString(form)+")", regexp.QuoteMeta(string(widen(form))))
		}
	}
	slices.SortStableFunc(forms, func(one, other string) int { return len(other) - len(one) })
	return regexp.MustCompile("(?s)" + strings.Join(forms, "|"))
}

// squeezed shortens runs of one byte, which oversized input consists of and no secret does.
func squeezed(raw []byte) []byte {
	const longest = 64
	out := make([]byte, 0, len(raw))
	run := 0
	for i, b := range raw {
		if run++; i == 0 || raw[i-1] != b {
			run = 1
		}
		if run <= longest {
			out = append(out, b)
		}
	}
	return out
}

func widen(raw []byte) []byte {
	runes := make([]rune, len(raw))
	for i, b := range raw {
		runes[i] = rune(b)
	}
	return []byte(string(runes))
}
