package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

// Scene is what the test tells about the servers: where everything is, also what no tenant may
// know. The attacker uses all of it, because isolation must not rest on secrecy of addresses,
// ids, key layouts or names; only what the victims wrote is unknown to it.
type Scene struct {
	Seed uint64 `json:"seed"`
	// The storage behind the gateway.
	RealPD       string `json:"real_pd"`
	Engine       string `json:"engine"`
	EngineStatus string `json:"engine_status"`
	// The first tenant attacks; the others, and tenant 0, are its victims.
	Tenants []Tenant `json:"tenants"`
	// Ports that no answer may name.
	SecretPorts []int `json:"secret_ports"`
	// What was planted; written by plant, read by attack and dump.
	Planted map[string]*Planted `json:"planted,omitempty"`
}

// Tenant is one registered tenant as the admin API tells it.
type Tenant struct {
	Name   string `json:"name"`
	ID     int    `json:"id"`
	PD     string `json:"pd"`
	Stores []struct {
		ID      uint64 `json:"id"`
		Address string `json:"address"`
	} `json:"stores"`
	// Unit is what the tenant's secrets consist of (see scan.go).
	Unit string `json:"unit"`
}

// Planted is what a victim owns and the attacker knows the place of.
type Planted struct {
	RowTS    uint64   `json:"row_ts"`
	LockTS   uint64   `json:"lock_ts"`
	Leases   []int64  `json:"leases"`
	Regions  []uint64 `json:"regions"`
	Refusals []string `json:"refusals"`
}

func readScene(path string) (*Scene, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	scene := &Scene{}
	if err := json.Unmarshal(text, scene); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return scene, nil
}

func (s *Scene) write(path string) error {
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

func (s *Scene) attacker() Tenant { return s.Tenants[0] }

// working is the tenant whose TiDB works all the time.
func (s *Scene) working() Tenant { return s.Tenants[1] }

// zero is tenant 0: an ordinary TiDB's place, reached without the gateway.
func (s *Scene) zero() Tenant {
	zero := Tenant{Name: "zero", Unit: "wk5", PD: s.RealPD}
	zero.Stores = append(zero.Stores, s.Tenants[0].Stores[0])
	zero.Stores[0].Address = s.Engine
	return zero
}

func (s *Scene) victims() []Tenant {
	return append(append([]Tenant{}, s.Tenants[1:]...), s.zero())
}

func (t Tenant) secret() string { return strings.Repeat(t.Unit, 8) }

// shortSecret fits where names are short.
func (t Tenant) shortSecret() string { return strings.Repeat(t.Unit, 4) }

func (t Tenant) store() string { return t.Stores[0].Address }

// etcdRoot is where the gateway keeps the tenant's etcd keys.
func (t Tenant) etcdRoot() string {
	if t.ID == 0 {
		return "/zero/"
	}
	return fmt.Sprintf("/tidb-mesh-data/%08x/", t.ID)
}
