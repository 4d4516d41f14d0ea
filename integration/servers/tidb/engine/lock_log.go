package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"os"
	"sync"

	"github.com/pingcap/badger"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/lockstore"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
)

// lockLog is the durable copy of the locks: a log of changes, rewritten when
// most of it is history. A record is
//
//	checksum of the rest u32 · key length u32 · lock length u32 · key · lock
//
// little-endian; a lock of no bytes means that the key is no longer locked.
// A torn record at the end was never acknowledged and ends the log.
type lockLog struct {
	path string

	mu   sync.Mutex
	file *os.File
	size int64
	held map[string][]byte
	live int64
}

// lockChange sets a lock, or removes it if lock is empty.
type lockChange struct{ key, lock []byte }

const (
	lockHeader = 12
	// lockLogSlack is how much history a log may have before it is rewritten.
	lockLogSlack = 32 * mib
)

func openLockLog(path string) (*lockLog, error) {
	l := &lockLog{path: path, held: make(map[string][]byte)}
	file, err := os.Open(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		l.replay(bufio.NewReaderSize(file, mib))
		if err = file.Close(); err != nil {
			return nil, err
		}
	}
	return l, l.rewrite()
}

func (l *lockLog) replay(in io.Reader) {
	header := make([]byte, lockHeader)
	for {
		if _, err := io.ReadFull(in, header); err != nil {
			return
		}
		keyLen, lockLen := binary.LittleEndian.Uint32(header[4:]), binary.LittleEndian.Uint32(header[8:])
		var body bytes.Buffer
		if _, err := io.CopyN(&body, in, int64(keyLen)+int64(lockLen)); err != nil {
			return
		}
		if checksum(header[4:], body.Bytes()) != binary.LittleEndian.Uint32(header) {
			return
		}
		l.apply(lockChange{key: body.Bytes()[:keyLen], lock: body.Bytes()[keyLen:]})
	}
}

func checksum(parts ...[]byte) uint32 {
	sum := crc32.NewIEEE()
	for _, part := range parts {
		sum.Write(part)
	}
	return sum.Sum32()
}

func (l *lockLog) apply(c lockChange) {
	key := string(c.key)
	l.live -= int64(len(l.held[key]))
	if len(c.lock) == 0 {
		delete(l.held, key)
		return
	}
	l.held[key] = c.lock
	l.live += int64(len(c.lock))
}

func appendRecord(buf []byte, c lockChange) []byte {
	at := len(buf)
	buf = append(buf, make([]byte, lockHeader)...)
	binary.LittleEndian.PutUint32(buf[at+4:], uint32(len(c.key)))
	binary.LittleEndian.PutUint32(buf[at+8:], uint32(len(c.lock)))
	buf = append(append(buf, c.key...), c.lock...)
	binary.LittleEndian.PutUint32(buf[at:], checksum(buf[at+4:]))
	return buf
}

// append hands changes to the operating system in one write.
func (l *lockLog) append(changes []lockChange) error {
	if len(changes) == 0 {
		return nil
	}
	var buf []byte
	for _, c := range changes {
		buf = appendRecord(buf, c)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range changes {
		l.apply(c)
	}
	if l.size > lockLogSlack && l.size > 4*l.live {
		return l.rewrite()
	}
	n, err := l.file.Write(buf)
	l.size += int64(n)
	return err
}

// rewrite replaces the log by one that holds the current locks only.
func (l *lockLog) rewrite() error {
	var buf []byte
	for key, lock := range l.held {
		buf = appendRecord(buf, lockChange{key: []byte(key), lock: lock})
	}
	if err := replaceFile(l.path, buf); err != nil {
		return err
	}
	file, err := os.OpenFile(l.path, os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	if l.file != nil {
		err = l.file.Close()
	}
	l.file, l.size = file, int64(len(buf))
	return err
}

// restore puts the locks into the store's memory. A lock whose transaction has
// left a record on the same key was being removed when the process died, and is
// removed now: the store must not find it and roll back what is committed.
func (l *lockLog) restore(db *badger.DB, memory *lockstore.MemStore) error {
	var stale []lockChange
	for key, encoded := range l.held {
		lock := mvcc.DecodeLock(encoded)
		if outcomeOn(db, []byte(key), lock.StartTS).ended() {
			stale = append(stale, lockChange{key: []byte(key)})
			continue
		}
		memory.Put([]byte(key), encoded)
	}
	return l.append(stale)
}

func (l *lockLog) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.file.Close()
}
