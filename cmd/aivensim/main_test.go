// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func TestRun(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in, out := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, out, "127.0.0.1:0", "../../examples/aivensim-seed.json", []aivensim.Option{aivensim.WithKeySize(1024)})
		_ = out.CloseWithError(err)
		done <- err
	}()
	url, err := bufio.NewReader(in).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSpace(url)+"/v1/project/demo-project", nil)
	req.Header.Set("Authorization", "aivenv1 demo-token")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusOK {
		t.Errorf("the seeded project answers %d", res.StatusCode)
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("run ends with %v", err)
	}
}

func TestRunErrors(t *testing.T) {
	cases := map[string]struct {
		reason, listen, seed string
		want                 string
	}{
		"NoSeed":   {"A seed file must exist.", "127.0.0.1:0", "missing.json", "cannot open seed"},
		"BadSeed":  {"A seed file must be a seed.", "127.0.0.1:0", "main.go", "cannot read seed"},
		"NoListen": {"An address must be one.", "127.0.0.1:-1", "", "cannot listen"},
	}
	for name, tc := range cases {
		t.Run(name, func(t *testing.T) {
			err := run(t.Context(), io.Discard, tc.listen, tc.seed, nil)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%s got %v", tc.reason, err)
			}
		})
	}
}
