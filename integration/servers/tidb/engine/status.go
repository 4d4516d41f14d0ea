package main

import (
	"encoding/hex"
	"encoding/json"
	"net"
	"net/http"
	"time"
)

// startStatus opens the HTTP server, if one is asked for:
//
//	GET /status   {"store_id": …, "regions": …, …} once the store is served
//	GET /dump     everything stored, one line each (see dump.go);
//	              start, end: bounds in hex; with-values: values, not hashes
//	GET /calls    {"kind of request": how many, …} since the start
func (n *node) startStatus() error {
	if n.opts.statusAddr == "" {
		return nil
	}
	listener, err := net.Listen("tcp", n.opts.statusAddr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", n.serveStatus)
	mux.HandleFunc("GET /dump", n.serveDump)
	mux.HandleFunc("GET /calls", n.serveCalls)
	n.status = &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := n.status.Serve(listener); err != http.ErrServerClosed {
			n.failed <- err
		}
	}()
	return nil
}

func (n *node) serveStatus(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{
		"store_id": n.regions.store.Id,
		"address":  n.opts.advertiseAddr,
		"version":  n.opts.storeVersion,
		"regions":  len(n.regions.all()),
		"safe_ts":  n.store.safeTS.now.Load(),
	})
}

func (n *node) serveDump(w http.ResponseWriter, req *http.Request) {
	start, err := hex.DecodeString(req.FormValue("start"))
	if err == nil {
		var end []byte
		if end, err = hex.DecodeString(req.FormValue("end")); err == nil {
			w.Header().Set("Content-Type", "text/plain; charset=us-ascii")
			n.store.mu.RLock()
			defer n.store.mu.RUnlock()
			_ = dump(w, n.store.bundle, dumpOptions{start, end, req.Form.Has("with-values")})
			return
		}
	}
	http.Error(w, err.Error(), http.StatusBadRequest)
}
