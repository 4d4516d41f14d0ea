package main

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"testing"
)

func testScene() *Scene {
	scene := &Scene{RealPD: "127.0.0.1:4001", Engine: "127.0.0.1:4002", SecretPorts: []int{4001}}
	for id, unit := range []string{"qqq", "zq7"} {
		tenant := Tenant{Name: []string{"alpha", "beta-neighbour"}[id], ID: id + 1, PD: fmt.Sprint("127.0.0.1:500", id), Unit: unit}
		tenant.Stores = append(tenant.Stores, struct {
			ID      uint64 `json:"id"`
			Address string `json:"address"`
		}{1, fmt.Sprint("127.0.0.1:600", id)})
		scene.Tenants = append(scene.Tenants, tenant)
	}
	return scene
}

func TestWhatAVictimWroteIsFoundInEveryForm(t *testing.T) {
	scene := testScene()
	s, beta := newScanner(scene), scene.Tenants[1]
	for _, answer := range [][]byte{
		[]byte(beta.secret()), []byte(fmt.Sprintf("%x", beta.secret())), memcomparable(secretKey(beta)),
		physical(beta.ID, metaKey("Other, of beta's alone")), []byte("see 127.0.0.1:4001"), []byte("tenant beta-neighbour"),
		[]byte(hex.EncodeToString(memcomparable(physical(beta.ID, rowKey(4, 4))))), physical(beta.ID, []byte("mDB:1")),
		append(bytes.Repeat([]byte("p"), 70_000), beta.secret()...),
	} {
		if len(s.leaks(answer, nil)) == 0 {
			t.Errorf("not found in %q", answer)
		}
	}
}

func TestTheAttackersOwnInputIsNoFinding(t *testing.T) {
	scene := testScene()
	s, beta := newScanner(scene), scene.Tenants[1]
	key := physical(beta.ID, metaKey("Known"))
	for _, answer := range [][]byte{
		key, memcomparable(key), []byte(fmt.Sprintf("%X", memcomparable(key))), []byte("http://localhost:4001"),
	} {
		if found := s.leaks(answer, nil); len(found) > 0 {
			t.Errorf("found in %q: %v", answer, found)
		}
	}
}
