package main

import (
	"fmt"
	"testing"
)

func TestABoundIsTheAttackersOwnOnlyIfItIsKeptAsSuch(t *testing.T) {
	scene := testScene()
	a := &attacker{scene: scene}
	alike := physical(2, metaKey("Known"))
	encoded := func(key []byte) string { return fmt.Sprintf("%X", memcomparable(key)) }
	for _, c := range []struct {
		seen, kept string
		foreign    bool
		wrong      bool
	}{
		{encoded(alike), encoded(physical(1, alike)), true, false},
		{encoded(alike), encoded(alike), true, true},
		{encoded(alike), encoded(physical(1, metaKey("Own"))), true, true},
		{encoded(rowKey(5, 5)), encoded(physical(1, rowKey(5, 5))), false, false},
		{encoded(physical(1, rowKey(5, 5))), encoded(physical(1, rowKey(5, 5))), true, true},
		{"", encoded(physical(2, []byte("m"))), false, false},
		{encoded(physical(2, []byte("m"))), encoded(physical(2, []byte("m"))), true, true},
	} {
		foreign, why := a.judgeBound(c.seen, c.kept)
		if foreign != c.foreign || (why != "") != c.wrong {
			t.Errorf("seen %s, kept %s: foreign %v, %q", c.seen, c.kept, foreign, why)
		}
	}
}
