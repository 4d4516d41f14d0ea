package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"
	"time"

	"google.golang.org/grpc/codes"
)

// report counts per RPC what became of the attempts, and keeps what must not have happened.
type report struct {
	mu    sync.Mutex
	rows  map[string]*row
	kinds map[string]*tally
	tried int
	leaks []finding
}

// finding is what was revealed, and by which RPC or path.
type finding struct{ name, text string }

// tally is how often something of a kind was tried, and at how many RPCs and paths.
type tally struct {
	tried int
	at    map[string]bool
}

type row struct {
	tried, answered, refused, ended, silent int
	codes                                   map[codes.Code]int
	spent                                   time.Duration
}

// shownPerName bounds how many findings of an RPC are printed in full.
const shownPerName = 3

func newReport() *report { return &report{rows: map[string]*row{}, kinds: map[string]*tally{}} }

func (r *report) count(name, kind string, code codes.Code) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tried++
	if r.kinds[kind] == nil {
		r.kinds[kind] = &tally{at: map[string]bool{}}
	}
	r.kinds[kind].tried++
	r.kinds[kind].at[name] = true
	counted := r.rows[name]
	if counted == nil {
		counted = &row{codes: map[codes.Code]int{}}
		r.rows[name] = counted
	}
	counted.tried++
	counted.codes[code]++
	switch code {
	case codes.OK:
		counted.answered++
	case codes.DeadlineExceeded:
		counted.silent++
	case codes.Unavailable, codes.Internal, codes.Unknown:
		counted.ended++
	default:
		counted.refused++
	}
}

func (r *report) took(name string, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if counted := r.rows[name]; counted != nil {
		counted.spent += time.Since(since)
	}
}

func (r *report) leak(name, text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leaks = append(r.leaks, finding{name, text})
}

// progress is a line for who waits.
func (r *report) progress() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return fmt.Sprintf("%d tried at %d names, %d leaks", r.tried, len(r.rows), len(r.leaks))
}

func (r *report) printKinds(out io.Writer) {
	for _, kind := range slices.Sorted(maps.Keys(r.kinds)) {
		fmt.Fprintf(out, "kind: %-32s tried %6d  at %4d names\n", kind, r.kinds[kind].tried, len(r.kinds[kind].at))
	}
}

// print writes a line per RPC and then every finding; it tells whether there was none.
func (r *report) print(out io.Writer) bool {
	names := make([]string, 0, len(r.rows))
	var sum row
	for name, row := range r.rows {
		names = append(names, name)
		sum.tried, sum.answered, sum.refused = sum.tried+row.tried, sum.answered+row.answered, sum.refused+row.refused
		sum.ended, sum.silent = sum.ended+row.ended, sum.silent+row.silent
	}
	slices.Sort(names)
	for _, name := range names {
		row := r.rows[name]
		fmt.Fprintf(out, "%-70s tried %5d  answered %5d  refused %5d  failed %4d  silent %4d  %5.1fs %v\n", name, row.tried, row.answered, row.refused, row.ended, row.silent, row.spent.Seconds(), row.codes)
	}
	r.printKinds(out)
	fmt.Fprintf(out, "all: %d names, tried %d, answered %d, refused %d, failed %d, silent %d\n", len(names), sum.tried, sum.answered, sum.refused, sum.ended, sum.silent)
	found := map[string]int{}
	for _, leak := range r.leaks {
		if found[leak.name]++; found[leak.name] <= shownPerName {
			fmt.Fprintln(out, "LEAK:", leak.text)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintf(out, "leaks of %s: %d\n", name, found[name])
	}
	fmt.Fprintf(out, "leaks: %d\n", len(r.leaks))
	return len(r.leaks) == 0
}
