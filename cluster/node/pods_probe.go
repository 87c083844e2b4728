// SPDX-License-Identifier: Apache-2.0

package node

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/pkg/errors"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// direct reaches Pods, and asks no proxy. A new connection for each request
// finds out that somebody else listens now.
var direct = &http.Transport{
	DisableKeepAlives: true,
	TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // As the kubelet does; nothing is sent.
}

// A tally is how many results in a row of a probe were the same.
type tally struct {
	healthy bool
	run     int32
}

// after returns the tally after another result.
func (t tally) after(result bool) tally {
	next := tally{healthy: result, run: 1}
	if next.healthy == t.healthy {
		next.run += t.run
	}
	return next
}

// settled reports whether the results are enough for a probe's thresholds.
func (t tally) settled(p *corev1.Probe) bool {
	if t.healthy {
		return t.run >= max(p.SuccessThreshold, 1)
	}
	return t.run >= max(p.FailureThreshold, 1)
}

// watchProbe asks, as often as a probe says, whether the container at an address
// is healthy, and reports every answer that is settled, until the context ends
// or report returns false.
func watchProbe(ctx context.Context, p *corev1.Probe, c *corev1.Container, address string, report func(healthy bool) bool) {
	if !pause(ctx, time.Duration(p.InitialDelaySeconds)*time.Second) {
		return
	}
	every := time.NewTicker(max(time.Duration(p.PeriodSeconds)*time.Second, time.Second))
	defer every.Stop()
	for t := (tally{}); ; {
		healthy := healthyAt(ctx, p, c, address)
		if ctx.Err() != nil {
			return
		}
		if t = t.after(healthy); t.settled(p) && !report(t.healthy) {
			return
		}
		select {
		case <-every.C:
		case <-ctx.Done():
			return
		}
	}
}

// healthyAt makes the request of a probe.
func healthyAt(ctx context.Context, p *corev1.Probe, c *corev1.Container, address string) bool {
	url, err := probeURL(p.HTTPGet, c.Ports, address)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, max(time.Duration(p.TimeoutSeconds)*time.Second, time.Second))
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	for _, h := range p.HTTPGet.HTTPHeaders {
		req.Header.Add(h.Name, h.Value)
	}
	rsp, err := direct.RoundTrip(req)
	if err != nil {
		return false
	}
	_ = rsp.Body.Close()
	return rsp.StatusCode >= http.StatusOK && rsp.StatusCode < http.StatusBadRequest
}

// probeURL returns what a probe asks for.
func probeURL(a *corev1.HTTPGetAction, ports []corev1.ContainerPort, address string) (string, error) {
	port := a.Port.IntValue()
	if a.Port.Type == intstr.String && port == 0 {
		for _, p := range ports {
			if p.Name == a.Port.StrVal {
				port = int(p.ContainerPort)
			}
		}
	}
	if port == 0 {
		return "", errors.Errorf("cannot find port %s of the container", a.Port.String())
	}
	scheme := "http"
	if a.Scheme == corev1.URISchemeHTTPS {
		scheme = "https"
	}
	return scheme + "://" + net.JoinHostPort(address, strconv.Itoa(port)) + "/" + strings.TrimPrefix(a.Path, "/"), nil
}

// pause waits, and reports whether the context has not ended.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return ctx.Err() == nil
	}
}
