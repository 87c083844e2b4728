// SPDX-License-Identifier: Apache-2.0

// Command probe stands for a workload in the end-to-end tests. It logs in at the
// simulated Aiven, over and over, with the credentials that it has in its environment
// and with those in the folder of a mounted Secret, as applications do, and tells over HTTP
// how often that failed. An attempt that nobody answered is none. It never prints a credential.
//
//	GET /counts   {"attempts": 1200, "failures": 0, "last": ""}
//	GET /readyz   200 once everything was accepted
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/pkg/errors"
)

// counts is what came of all attempts.
type counts struct {
	Attempts int    `json:"attempts"`
	Failures int    `json:"failures"`
	Last     string `json:"last"`
}

// A service is where the credentials under some keys are tried.
type service struct {
	path     string // <project>/<service>
	user     string
	password string
	cert     string
	key      string
}

func main() {
	var (
		url      = flag.String("url", "", "base URL of the simulated Aiven")
		dir      = flag.String("dir", "", "folder of the mounted Secret; empty for none")
		env      = flag.Bool("env", true, "try what is in the environment too")
		services = flag.String("services", "", "what to log in at: kafka=<project>/<service>,opensearch=...,valkey/<instance>=...")
		listen   = flag.String("listen", ":8080", "address of /counts and /readyz")
		every    = flag.Duration("every", 200*time.Millisecond, "time between attempts")
	)
	flag.Parse()
	p := &prober{url: strings.TrimSuffix(*url, "/"), client: &http.Client{Timeout: time.Minute}}
	targets, err := parse(*services)
	if err != nil {
		log.Fatal(err)
	}
	go func() {
		for range time.Tick(*every) {
			for _, s := range targets {
				if *env {
					p.try(s, "environment", os.Getenv)
				}
				if *dir != "" {
					p.try(s, "files", files(*dir))
				}
			}
		}
	}()
	http.HandleFunc("GET /counts", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(p.now()) })
	http.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if c := p.now(); c.Attempts == 0 || c.Failures > 0 {
			http.Error(w, c.Last, http.StatusServiceUnavailable)
		}
	})
	server := &http.Server{Addr: *listen, ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

// files returns a function that reads the keys of one state of a mounted Secret.
// Kubernetes: a link called ..data leads to the present one, and moves at once for all
// keys; the one before is removed after that.
func files(dir string) func(key string) string {
	now := func() map[string]string {
		state, err := filepath.EvalSymlinks(filepath.Join(dir, "..data"))
		if err != nil {
			state = dir
		}
		entries, err := os.ReadDir(state)
		if err != nil {
			return nil
		}
		out := make(map[string]string, len(entries))
		for _, e := range entries {
			b, err := os.ReadFile(filepath.Join(state, e.Name()))
			if err != nil {
				return nil
			}
			out[e.Name()] = string(b)
		}
		return out
	}
	data := now()
	if data == nil {
		data = now() // It was being removed.
	}
	return func(key string) string { return data[key] }
}

// parse reads the flag -services.
func parse(s string) ([]service, error) {
	var out []service
	for f := range strings.SplitSeq(s, ",") {
		name, path, ok := strings.Cut(f, "=")
		kind, instance, _ := strings.Cut(name, "/")
		suffix := "_" + strings.ToUpper(strings.ReplaceAll(instance, "-", "_"))
		switch {
		case !ok:
			return nil, errors.Errorf("cannot parse service %q: want <service>=<project>/<service>", f)
		case kind == "kafka":
			out = append(out, service{path: path, user: "KAFKA_SCHEMA_REGISTRY_USER", password: "KAFKA_SCHEMA_REGISTRY_PASSWORD"},
				service{path: path, cert: "KAFKA_CERTIFICATE", key: "KAFKA_PRIVATE_KEY"})
		case kind == "opensearch":
			out = append(out, service{path: path, user: "OPEN_SEARCH_USERNAME", password: "OPEN_SEARCH_PASSWORD"})
		case kind == "valkey":
			out = append(out, service{path: path, user: "VALKEY_USERNAME" + suffix, password: "VALKEY_PASSWORD" + suffix})
		default:
			return nil, errors.Errorf("cannot parse service %q: it is none of kafka, opensearch and valkey", f)
		}
	}
	return out, nil
}

type prober struct {
	url    string
	client *http.Client

	mu     sync.Mutex
	counts counts
}

func (p *prober) now() counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.counts
}

// try logs in with the credentials that get returns for the keys of a service.
func (p *prober) try(s service, from string, get func(key string) string) {
	why, answered := p.login(s, get)
	if why != "" {
		why = fmt.Sprintf("%s from %s at %s: %s", s.user+s.cert, from, s.path, why)
		log.Print(why)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if why != "" && (answered || p.counts.Failures == 0) {
		p.counts.Last = why
	}
	if !answered {
		return
	}
	p.counts.Attempts++
	if why != "" {
		p.counts.Failures++
	}
}

// login returns why the service did not accept the credentials, empty when it did. It is not
// answered when the service cannot be reached, which says nothing of the credentials.
func (p *prober) login(s service, get func(key string) string) (why string, answered bool) {
	attempt := map[string]string{}
	for field, key := range map[string]string{"username": s.user, "password": s.password, "certificate": s.cert, "key": s.key} {
		if key == "" {
			continue
		}
		if attempt[field] = get(key); attempt[field] == "" {
			return key + " is not there", true
		}
	}
	body, err := json.Marshal(attempt)
	if err != nil {
		return "cannot encode the attempt", true
	}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, p.url+"/-/logins/"+s.path, bytes.NewReader(body))
	if err != nil {
		return "cannot make a request", true
	}
	res, err := p.client.Do(req)
	if err != nil {
		return "cannot reach the service", false
	}
	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusNoContent {
		return "not accepted: " + res.Status, true
	}
	return "", true
}
