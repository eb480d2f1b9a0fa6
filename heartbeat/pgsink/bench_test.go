package pgsink_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/pioneerdesk/tomkit/heartbeat"
	"github.com/pioneerdesk/tomkit/heartbeat/pgsink"
)

// fleet returns 20 tenants with the given number of devices each, all heard of once.
func (f *fixture) fleet(b *testing.B, s *pgsink.Sink, devices int) []heartbeat.Beat {
	var beats []heartbeat.Beat
	for i := range 20 {
		tenant := f.Tenant(b, "bench-"+string(rune('a'+i)))
		for _, id := range f.devices(b, tenant, devices) {
			beats = append(beats, beat(tenant, id, noon))
		}
	}
	for from := 0; from < len(beats); from += 500 {
		_, err := s.Write(b.Context(), beats[from:from+500])
		require.NoError(b, err)
	}
	_, err := f.super.Exec(b.Context(), `VACUUM ANALYZE tomkit.heartbeats; `)
	require.NoError(b, err)
	_, err = f.super.Exec(b.Context(), `ANALYZE tomkit.heartbeat_history`)
	require.NoError(b, err)
	return beats
}

// BenchmarkWrite flushes 500 beats per transaction on one connection, 10,000 devices of 20 tenants, one beat a minute:
// every fifth enters the history.
func BenchmarkWrite(b *testing.B) {
	f := newFixture(b)
	s := f.sink(b, pgsink.Config{})
	beats := f.fleet(b, s, 500)
	batch := make([]heartbeat.Beat, 500)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		for i := range batch {
			// a stride apart, so that a batch mixes tenants as arrivals do
			k := n % len(beats)
			batch[i] = beats[(k%20)*500+k/20]
			batch[i].ReceivedAt = noon.Add(time.Duration(1+n/len(beats)) * time.Minute)
			n++
		}
		out, err := s.Write(context.Background(), batch)
		if err != nil || out[0] != heartbeat.Stored || out[499] != heartbeat.Stored {
			b.Fatal(err, out[0], out[499])
		}
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

// BenchmarkAccept runs many concurrent callers through group commit.
func BenchmarkAccept(b *testing.B) {
	for _, callers := range []int{1, 64, 512} {
		b.Run(map[int]string{1: "1 caller", 64: "64 callers", 512: "512 callers"}[callers], func(b *testing.B) {
			f := newFixture(b)
			s := f.running(b, pgsink.Config{})
			tenant := f.Tenant(b, "bench")
			ids := f.devices(b, tenant, callers)
			b.ReportAllocs()
			b.ResetTimer()
			turns := make(chan uuid.UUID, callers)
			for _, id := range ids {
				turns <- id
			}
			b.SetParallelism((callers + 1) / 2)
			b.RunParallel(func(pb *testing.PB) {
				id := <-turns
				for n := 1; pb.Next(); n++ {
					if err := s.Accept(context.Background(), beat(tenant, id, noon.Add(time.Duration(n)*time.Second))); err != nil {
						b.Error(err)
						return
					}
				}
				turns <- id
			})
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "beats/s")
		})
	}
}
