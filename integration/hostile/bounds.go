package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
)

// A tenant may split its regions at keys of any bytes, also at keys that begin as a neighbour's are
// stored: stored they begin with its own id, and it sees them as it wrote them. So a region's bound
// in an answer that looks like a neighbour's key is none, if the region that PD keeps under the same
// id begins (or ends) with the attacker's id and just that key. That is proven here for every bound
// that the attacker sees after the attack, not taken for granted.

// region is one of a list in PD's JSON.
type region struct {
	ID    uint64          `json:"id"`
	Start string          `json:"start_key"`
	End   string          `json:"end_key"`
	Epoch json.RawMessage `json:"epoch"`
}

func regionsAt(pd string) ([]region, error) {
	text, err := get("http://" + pd + "/pd/api/v1/regions")
	if err != nil {
		return nil, err
	}
	var all struct {
		Regions []region `json:"regions"`
	}
	return all.Regions, json.Unmarshal(text, &all)
}

// boundsAreOwn compares every bound that the attacker sees with the one that PD keeps.
func (a *attacker) boundsAreOwn() error {
	seen, err := regionsAt(a.scene.attacker().PD)
	if err != nil {
		return err
	}
	kept, err := regionsAt(a.scene.RealPD)
	if err != nil {
		return err
	}
	alike := 0
	for _, one := range seen {
		at := slices.IndexFunc(kept, func(other region) bool { return other.ID == one.ID })
		if at < 0 {
			a.report.leak("bounds of regions", fmt.Sprintf("region %d isn't PD's", one.ID))
			continue
		}
		for _, pair := range [][2]string{{one.Start, kept[at].Start}, {one.End, kept[at].End}} {
			foreign, why := a.judgeBound(pair[0], pair[1])
			if foreign {
				alike++
			}
			if why != "" {
				a.report.leak("bounds of regions", fmt.Sprintf("region %d is seen with the bound %s, kept with %s: %s", one.ID, pair[0], pair[1], why))
			}
		}
	}
	fmt.Printf("bounds of %d regions compared with PD's; %d of the attacker's own begin as a neighbour's key\n", len(seen), alike)
	return nil
}

// judgeBound tells whether a bound looks like a neighbour's, and what is wrong with it.
func (a *attacker) judgeBound(seen, kept string) (foreign bool, why string) {
	logical, err := hex.DecodeString(seen)
	if err != nil {
		return false, err.Error()
	}
	stored, err := hex.DecodeString(kept)
	if err != nil {
		return false, err.Error()
	}
	for _, tenant := range a.scene.Tenants {
		prefixes := [][]byte{physical(tenant.ID, tableKey(0))[:3], physical(tenant.ID, []byte("m"))}
		foreign = foreign || begins(decoded(logical), prefixes)
	}
	own, isOwn := a.unmarked(decoded(stored))
	switch {
	case isOwn && !bytes.Equal(decoded(logical), own):
		return foreign, "it isn't the attacker's own without its id"
	case !isOwn && foreign:
		return foreign, "it is a neighbour's"
	default:
		return foreign, ""
	}
}

// unmarked is a stored key of the attacker's without its id.
func (a *attacker) unmarked(key []byte) ([]byte, bool) {
	id := a.scene.attacker().ID
	head, row := physical(id, []byte("m")), physical(id, tableKey(0))[:3]
	switch {
	case bytes.HasPrefix(key, head) && len(key) > len(head):
		return append([]byte("m"), key[len(head):]...), true
	case bytes.HasPrefix(key, row) && len(key) >= 9:
		return append([]byte{'t', 0x80, 0}, key[3:]...), true
	default:
		return nil, false
	}
}
