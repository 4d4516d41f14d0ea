// Command digest answers with TiDB's own normalizer, for the differential test of digest/.
//
// `digest normalize` reads statements from standard input and writes, for each, the normalized
// form and the SHA-256 digest. `digest classify` writes, for each, the statements that TiDB's
// parser finds in it. `digest corpus DIR...` writes every string literal of the Go tests and every
// statement of the *.test and *.sql files below the directories.
//
// A record is its length in four bytes, most significant first, and its bytes.
package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/pingcap/tidb/pkg/parser"
)

func main() {
	out := bufio.NewWriterSize(os.Stdout, 1<<20)
	if err := run(os.Args[1:], out); err != nil {
		fmt.Fprintln(os.Stderr, "digest:", err)
		os.Exit(1)
	}
	if err := out.Flush(); err != nil {
		fmt.Fprintln(os.Stderr, "digest:", err)
		os.Exit(1)
	}
}

func run(arguments []string, out *bufio.Writer) error {
	if len(arguments) == 0 {
		return errors.New("want normalize, classify or corpus")
	}
	switch arguments[0] {
	case "normalize":
		return answer(out, func(sql string) error {
			normalized, digest := parser.NormalizeDigest(sql)
			if err := write(out, []byte(normalized)); err != nil {
				return err
			}
			return write(out, digest.Bytes())
		})
	case "classify":
		return answer(out, func(sql string) error {
			return write(out, []byte(classes(sql)))
		})
	case "corpus":
		return corpus(arguments[1:], func(sql string) error { return write(out, []byte(sql)) })
	}
	return fmt.Errorf("unknown command %q", arguments[0])
}

// answer calls reply for every record of standard input, in order.
func answer(out *bufio.Writer, reply func(sql string) error) error {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	for {
		// Whoever asks may wait for the answers before asking more.
		if in.Buffered() == 0 {
			if err := out.Flush(); err != nil {
				return err
			}
		}
		var length [4]byte
		if _, err := io.ReadFull(in, length[:]); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		sql := make([]byte, binary.BigEndian.Uint32(length[:]))
		if _, err := io.ReadFull(in, sql); err != nil {
			return err
		}
		if err := reply(string(sql)); err != nil {
			return err
		}
	}
}

func write(out io.Writer, record []byte) error {
	var length [4]byte
	binary.BigEndian.PutUint32(length[:], uint32(len(record)))
	if _, err := out.Write(length[:]); err != nil {
		return err
	}
	_, err := out.Write(record)
	return err
}
