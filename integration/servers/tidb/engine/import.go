package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"

	protoio "github.com/gogo/protobuf/io"
	"github.com/google/uuid"
	"github.com/pingcap/badger"
	"github.com/pingcap/badger/y"
	"github.com/pingcap/kvproto/pkg/errorpb"
	sst "github.com/pingcap/kvproto/pkg/import_sstpb"
	"github.com/pingcap/tidb/pkg/store/mockstore/unistore/tikv/mvcc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// importer serves ImportSST as far as ADD INDEX and IMPORT INTO need it. A file
// is what one call of Write sent; it lies in a directory of its own until it is
// ingested, and a restart throws away those that never were, as clients write
// again what they don't find.
//
// What it does not serve is left to the embedded server: Unimplemented.
type importer struct {
	*sst.UnimplementedImportSSTServer
	*store
}

const importDir = "import"

// ingestAtOnce is how many bytes become visible in one transaction of the
// database. A process that dies between two leaves a part of a file ingested;
// the client was not answered and ingests the file again.
const ingestAtOnce = mib

// clearImports removes what an earlier process left.
func clearImports(dataDir string) error {
	return os.RemoveAll(filepath.Join(dataDir, importDir))
}

// file is where the pairs of a written file lie.
func (i importer) file(meta *sst.SSTMeta) (string, error) {
	id, err := uuid.FromBytes(meta.GetUuid())
	if err != nil {
		return "", status.Errorf(codes.InvalidArgument, "bad uuid: %v", err)
	}
	name := fmt.Sprintf("%s_%d_%d_%d.sst", id, meta.GetRegionId(),
		meta.GetRegionEpoch().GetConfVer(), meta.GetRegionEpoch().GetVersion())
	return filepath.Join(i.dataDir, importDir, name), nil
}

// Write takes a file: first what it is, then its pairs.
func (i importer) Write(stream sst.ImportSST_WriteServer) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	meta := first.GetMeta()
	if meta == nil {
		return status.Error(codes.InvalidArgument, "the first message of a write names no file")
	}
	path, err := i.file(meta)
	if err != nil {
		return err
	}
	if err = os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if _, err = os.Stat(path); err == nil {
		return status.Error(codes.AlreadyExists, "the file exists")
	}
	written, err := receiveFile(path, stream)
	if err != nil {
		return errors.Join(err, os.Remove(path))
	}
	answer := new(sst.WriteResponse)
	if written.TotalKvs > 0 {
		whole := *meta
		whole.Crc32, whole.Length = written.Crc32, written.Length
		whole.TotalKvs, whole.TotalBytes = written.TotalKvs, written.TotalBytes
		whole.CfName = familyWrite
		answer.Metas = append(answer.Metas, &whole)
	}
	return stream.SendAndClose(answer)
}

func receiveFile(path string, stream sst.ImportSST_WriteServer) (written sst.SSTMeta, err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return written, err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	sum := crc32.NewIEEE()
	batches := protoio.NewUint32DelimitedWriter(io.MultiWriter(file, sum), binary.BigEndian)
	for {
		message, err := stream.Recv()
		if err == io.EOF {
			written.Crc32 = sum.Sum32()
			return written, nil
		}
		if err != nil {
			return written, err
		}
		batch := message.GetBatch()
		if batch == nil {
			return written, status.Error(codes.InvalidArgument, "a write names its file twice")
		}
		if err = batches.WriteMsg(batch); err != nil {
			return written, err
		}
		for _, pair := range batch.GetPairs() {
			written.TotalKvs++
			written.TotalBytes += uint64(len(pair.GetKey()) + len(pair.GetValue()))
		}
		written.Length = written.TotalBytes
	}
}

// Ingest makes one file part of its region.
func (i importer) Ingest(ctx context.Context, req *sst.IngestRequest) (*sst.IngestResponse, error) {
	if req.GetSst() == nil {
		return nil, status.Error(codes.InvalidArgument, "no file to ingest")
	}
	return i.MultiIngest(ctx, &sst.MultiIngestRequest{Context: req.GetContext(), Ssts: []*sst.SSTMeta{req.GetSst()}})
}

// MultiIngest makes files part of their region. Without files it only tells
// whether the store is busy, which this one never is.
func (i importer) MultiIngest(_ context.Context, req *sst.MultiIngestRequest) (*sst.IngestResponse, error) {
	if len(req.GetSsts()) == 0 {
		return new(sst.IngestResponse), nil
	}
	r, fault := i.regions.admit(req.GetContext())
	if fault != nil {
		return &sst.IngestResponse{Error: fault}, nil
	}
	var paths []string
	for _, meta := range req.GetSsts() {
		path, err := i.file(meta)
		if err != nil {
			return nil, err
		}
		if bounds := meta.GetRange(); !r.holds(bounds.GetStart()) || !r.holds(bounds.GetEnd()) {
			return &sst.IngestResponse{Error: &errorpb.Error{
				Message: "a file lies outside its region",
				KeyNotInRegion: &errorpb.KeyNotInRegion{
					Key: bounds.GetStart(), RegionId: r.meta.Id, StartKey: r.meta.StartKey, EndKey: r.meta.EndKey,
				},
			}}, nil
		}
		if _, err := os.Stat(path); err != nil {
			return nil, status.Error(codes.Unknown, "a file to ingest is not on this store")
		}
		paths = append(paths, path)
	}
	for _, path := range paths {
		if err := i.ingestFile(r, path); err != nil {
			return nil, err
		}
	}
	for _, path := range paths {
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	return new(sst.IngestResponse), nil
}

func (i importer) ingestFile(r *region, path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	batches := protoio.NewUint32DelimitedReader(bufio.NewReader(file), binary.BigEndian, maxMessage)
	for {
		batch := new(sst.WriteBatch)
		if err = batches.ReadMsg(batch); err == io.EOF {
			return nil
		}
		if err == nil {
			err = i.ingestBatch(r, batch)
		}
		if err != nil {
			return err
		}
	}
}

// ingestBatch stores the pairs of one message as committed at the time that it
// says. What is stored already stays, so that a repeated ingestion changes
// nothing; what is stored with a later time would hide below, so it is refused.
func (i importer) ingestBatch(r *region, batch *sst.WriteBatch) error {
	ts := batch.GetCommitTs()
	if ts == 0 {
		return status.Error(codes.InvalidArgument, "pairs without a commit timestamp")
	}
	var entries []*badger.Entry
	size := 0
	flush := func() error {
		defer func() { entries, size = nil, 0 }()
		return setEntries(i.bundle.DB, entries)
	}
	for _, pair := range batch.GetPairs() {
		key := pair.GetKey()
		if bytes.Compare(key, r.rawStart) < 0 || bytes.Compare(key, r.rawEnd) >= 0 {
			return status.Errorf(codes.Unknown, "key %s is not in region %d", hex.EncodeToString(key), r.meta.Id)
		}
		newest, found := i.newest(key)
		if found && newest == ts {
			continue
		}
		if found && newest > ts {
			return status.Errorf(codes.Unknown, "key %s has a version newer than %d", hex.EncodeToString(key), ts)
		}
		value := pair.GetValue()
		if pair.GetOp() == sst.Pair_Delete {
			value = nil
		}
		entries = append(entries, &badger.Entry{
			Key: y.KeyWithTs(key, ts), Value: value, UserMeta: mvcc.NewDBUserMeta(ts, ts),
		})
		if size += len(key) + len(value); size >= ingestAtOnce {
			if err := flush(); err != nil {
				return err
			}
		}
		if r.size.Load() >= 0 {
			r.size.Add(int64(len(key) + len(value)))
		}
	}
	return flush()
}

// newest is the time of the newest version of a key.
func (s *store) newest(key []byte) (uint64, bool) {
	found, newest := false, uint64(0)
	scanVersions(s.bundle.DB, key, append(bytes.Clone(key), 0), func(v version) bool {
		found, newest = true, v.ts
		return false
	})
	return newest, found
}
