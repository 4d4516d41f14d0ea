package main

import "sync"

// latches serialize commands on the same key. The store asks for all hashes of
// a command at once, sorted and without duplicates, so that two commands can't
// wait for each other.
type latches struct {
	mu   sync.Mutex
	held map[uint64]chan struct{}
}

func newLatches() *latches {
	return &latches{held: make(map[uint64]chan struct{})}
}

func (l *latches) acquire(hashes []uint64) {
	for _, h := range hashes {
		for !l.tryOne(h) {
		}
	}
}

// tryOne takes one latch, or waits until its holder is done and says so.
func (l *latches) tryOne(hash uint64) bool {
	l.mu.Lock()
	done, taken := l.held[hash]
	if !taken {
		l.held[hash] = make(chan struct{})
	}
	l.mu.Unlock()
	if taken {
		<-done
	}
	return !taken
}

func (l *latches) release(hashes []uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, h := range hashes {
		close(l.held[h])
		delete(l.held, h)
	}
}
