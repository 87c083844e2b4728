// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

// A Simulator is the inspection API of one that runs as a process.
type Simulator struct {
	// URL without a path.
	URL string
}

// Stats of the calls so far.
func (s Simulator) Stats(ctx context.Context) (aivensim.Stats, error) {
	out := aivensim.Stats{}
	return out, errors.Wrap(s.do(ctx, http.MethodGet, "/-/stats", nil, &out), "cannot get the simulator's statistics")
}

// Requests are the last calls, at most 100 000.
func (s Simulator) Requests(ctx context.Context) ([]aivensim.Request, error) {
	var out []aivensim.Request
	return out, errors.Wrap(s.do(ctx, http.MethodGet, "/-/requests", nil, &out), "cannot get the simulator's requests")
}

// State with all credentials.
func (s Simulator) State(ctx context.Context) (aivensim.State, error) {
	out := aivensim.State{}
	return out, errors.Wrap(s.do(ctx, http.MethodGet, "/-/state?secrets=true", nil, &out), "cannot get the simulator's state")
}

// AddService adds a service to a project.
func (s Simulator) AddService(ctx context.Context, project string, svc aivensim.Service) error {
	path := "/-/services/" + project + "/" + svc.Name
	return errors.Wrap(s.do(ctx, http.MethodPut, path, svc, &struct{}{}), "cannot add a service to the simulator")
}

func (s Simulator) do(ctx context.Context, method, path string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return errors.Wrap(err, "cannot encode")
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, s.URL+path, &body)
	if err != nil {
		return errors.Wrap(err, "cannot form a request")
	}
	rsp, err := http.DefaultClient.Do(req)
	if err != nil {
		return errors.Wrap(err, "cannot call")
	}
	defer func() { _ = rsp.Body.Close() }()
	if rsp.StatusCode != http.StatusOK {
		return errors.Errorf("the simulator answers %s", rsp.Status)
	}
	return errors.Wrap(json.NewDecoder(rsp.Body).Decode(out), "cannot decode")
}
