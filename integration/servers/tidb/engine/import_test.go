package main

import (
	"context"
	"io"
	"testing"

	"github.com/google/uuid"
	sst "github.com/pingcap/kvproto/pkg/import_sstpb"
	"github.com/pingcap/tidb/pkg/util/codec"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc"
)

// writing is the client's side of a call of Write.
type writing struct {
	grpc.ServerStream
	sent   []*sst.WriteRequest
	answer *sst.WriteResponse
}

func (w *writing) Recv() (*sst.WriteRequest, error) {
	if len(w.sent) == 0 {
		return nil, io.EOF
	}
	next := w.sent[0]
	w.sent = w.sent[1:]
	return next, nil
}

func (w *writing) SendAndClose(answer *sst.WriteResponse) error {
	w.answer = answer
	return nil
}

// detecting is the client's side of a call of DuplicateDetect.
type detecting struct {
	grpc.ServerStream
	found []string
}

func (d *detecting) Send(answer *sst.DuplicateDetectResponse) error {
	for _, pair := range answer.Pairs {
		d.found = append(d.found, string(pair.Key)+"="+string(pair.Value))
	}
	return nil
}

// written writes a file of pairs: key, value, key, value…
func (b *bench) written(commitTS uint64, pairs ...string) []*sst.SSTMeta {
	b.t.Helper()
	at := b.at(pairs[0])
	id := uuid.New()
	last := pairs[len(pairs)-2]
	meta := &sst.SSTMeta{
		Uuid: id[:], RegionId: at.RegionId, RegionEpoch: at.RegionEpoch,
		Range: &sst.Range{Start: codec.EncodeBytes(nil, []byte(pairs[0])), End: codec.EncodeBytes(nil, []byte(last))},
	}
	w := &writing{sent: []*sst.WriteRequest{{Chunk: &sst.WriteRequest_Meta{Meta: meta}}}}
	for i := 0; i < len(pairs); i += 2 {
		w.sent = append(w.sent, &sst.WriteRequest{Chunk: &sst.WriteRequest_Batch{Batch: &sst.WriteBatch{
			CommitTs: commitTS, Pairs: []*sst.Pair{{Key: []byte(pairs[i]), Value: []byte(pairs[i+1])}},
		}}})
	}
	require.NoError(b.t, importer{store: b.store}.Write(w))
	return w.answer.Metas
}

func (b *bench) ingest(metas []*sst.SSTMeta) (*sst.IngestResponse, error) {
	return importer{store: b.store}.MultiIngest(context.Background(), &sst.MultiIngestRequest{
		Context: b.at("a"), Ssts: metas,
	})
}

func TestAnIngestedFileIsCommittedAtItsTime(t *testing.T) {
	b := newBench(t)
	metas := b.written(21, "a", "1", "b", "2")
	require.Empty(t, b.get("a", 30), "nothing is seen before it is ingested")
	resp, err := b.ingest(metas)
	require.NoError(t, err)
	require.Nil(t, resp.Error)
	require.Empty(t, b.get("a", 20))
	require.Equal(t, "1", b.get("a", 30))
	b.kill()
	require.Equal(t, "2", b.get("b", 30))
	_, err = b.ingest(metas)
	require.ErrorContains(t, err, "not on this store", "a file is ingested once")
}

func TestWhatIsIngestedAgainChangesNothing(t *testing.T) {
	b := newBench(t)
	for range 2 {
		_, err := b.ingest(b.written(21, "a", "1", "b", "2"))
		require.NoError(t, err)
	}
	require.Equal(t, []string{"data a 1 21 21 put", "data b 2 21 21 put"}, b.dumped())
	b.put("a", "newer", 30, 31)
	_, err := b.ingest(b.written(21, "a", "other"))
	require.ErrorContains(t, err, "newer")
}

func TestAFileOfAnotherRegionIsNotIngested(t *testing.T) {
	b := newBench(t)
	metas := b.written(21, "a", "1", "z", "2")
	stale := b.at("a")
	b.split("a", "m")
	resp, err := importer{store: b.store}.MultiIngest(context.Background(), &sst.MultiIngestRequest{Context: stale, Ssts: metas})
	require.NoError(t, err)
	require.NotNil(t, resp.Error.GetEpochNotMatch())
	resp, err = b.ingest(b.written(21, "a", "1", "z", "2"))
	require.NoError(t, err)
	require.NotNil(t, resp.Error.GetKeyNotInRegion())
	require.Empty(t, b.dumped())
}

func TestKeysWrittenTwiceSinceATimeAreDetected(t *testing.T) {
	b := newBench(t)
	b.put("once", "1", 30, 31)
	b.put("twice", "1", 30, 31)
	b.put("twice", "2", 40, 41)
	b.put("before", "1", 10, 11)
	b.put("before", "2", 30, 31)
	b.put("deleted between", "1", 30, 31)
	b.put("deleted between", "", 40, 41)
	b.put("deleted between", "2", 50, 51)
	d := new(detecting)
	require.NoError(t, importer{store: b.store}.DuplicateDetect(&sst.DuplicateDetectRequest{
		Context: b.at("a"), MinCommitTs: 20,
	}, d))
	require.Equal(t, []string{"twice=2", "twice=1"}, d.found)
}
