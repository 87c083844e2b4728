// SPDX-License-Identifier: Apache-2.0

package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/pkg/errors"

	"github.com/provider-aiven/provider-aiven/test/harness"
	"github.com/provider-aiven/provider-aiven/test/monitoring/picture"
)

// step of scrapes, of evaluations and of answers.
const step = time.Second

// A server is a Prometheus.
type server struct {
	url   string
	begin time.Time
}

// config has it scrape as podmonitor.yaml says, where the operator adds the labels of
// the provider's pod.
const config = `global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [rules.yaml]
scrape_configs:
- job_name: provider-aiven
  honor_labels: true
  static_configs:
  - targets: [%q]
    labels: {namespace: crossplane-system, pod: provider-aiven-1}
`

// start starts a Prometheus that scrapes the target and knows the alerts.
func start(t *testing.T, target string) server {
	t.Helper()
	path, dir := program(t, "prometheus"), t.TempDir()
	write(t, filepath.Join(dir, "rules.yaml"), rules(t))
	if err := os.WriteFile(filepath.Join(dir, "prometheus.yaml"), fmt.Appendf(nil, config, target), 0o600); err != nil {
		t.Fatal(err)
	}
	address := harness.FreeAddress(t)
	log := &harness.Buffer{}
	cmd := exec.Command(path,
		"--config.file="+filepath.Join(dir, "prometheus.yaml"),
		"--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address,
	)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot start Prometheus: %v", err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("Prometheus said:\n%s", log)
		}
	})
	s := server{url: "http://" + address, begin: time.Now()}
	harness.Eventually(t, "Prometheus is ready", func(ctx context.Context) error {
		_, err := s.get(ctx, "/-/ready", nil)
		return err
	})
	return s
}

// get asks the HTTP API.
func (s server) get(ctx context.Context, path string, query url.Values) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+path+"?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	return fetch(req)
}

func fetch(req *http.Request) ([]byte, error) {
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = errors.Errorf("%s: %s", res.Status, b)
	}
	return b, err
}

// lines returns what a query answers from the beginning until now, without series
// that never have a number. A long window has rates also when scrapes were missed; a
// short one shows when what happened.
func (s server) lines(ctx context.Context, expr, window, legend string) ([]picture.Line, error) {
	b, err := s.get(ctx, "/api/v1/query_range", url.Values{
		"query": {inRun(expr, window)},
		"start": {strconv.FormatInt(s.begin.Unix(), 10)}, "end": {strconv.FormatInt(time.Now().Unix(), 10)},
		"step": {strconv.Itoa(int(step.Seconds()))},
	})
	if err != nil {
		return nil, errors.Wrap(err, expr)
	}
	var answer struct {
		Data struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, err
	}
	var out []picture.Line
	for _, r := range answer.Data.Result {
		l, known := picture.Line{Name: named(legend, r.Metric)}, false
		for _, v := range r.Values {
			at, _ := v[0].(float64)
			text, _ := v[1].(string)
			value, err := strconv.ParseFloat(text, 64)
			if err != nil {
				return nil, err
			}
			known = known || !math.IsNaN(value)
			l.Points = append(l.Points, picture.Point{At: time.Unix(int64(at), 0), Value: value})
		}
		if known {
			out = append(out, l)
		}
	}
	return out, nil
}

// inRun returns a query with times that suit a run of some minutes: rates are over
// a window.
func inRun(expr, window string) string {
	return strings.NewReplacer("$__rate_interval", window, "[2d:15m]", "[2d:1s]").Replace(expr)
}

// named returns a legend of a series.
func named(legend string, labels map[string]string) string {
	for k, v := range labels {
		legend = strings.ReplaceAll(legend, "{{"+k+"}}", v)
	}
	return legend
}

// broken returns the rules that Prometheus could not evaluate, or has not yet.
func (s server) broken(ctx context.Context) ([]string, error) {
	b, err := s.get(ctx, "/api/v1/rules", nil)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data struct {
			Groups []struct {
				Rules []struct{ Name, Health, LastError string }
			}
		}
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		return nil, err
	}
	if len(answer.Data.Groups) == 0 {
		return []string{"there are no rules"}, nil
	}
	var out []string
	for _, g := range answer.Data.Groups {
		for _, r := range g.Rules {
			if r.Health != "ok" {
				out = append(out, r.Name+": "+r.Health+" "+r.LastError)
			}
		}
	}
	return out, nil
}
