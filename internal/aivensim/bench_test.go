// SPDX-License-Identifier: Apache-2.0

package aivensim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/provider-aiven/provider-aiven/internal/aivensim"
)

func BenchmarkGetServiceOf1000(b *testing.B) {
	r := newRig(b, aivensim.WithKeySize(2048))
	for i := range 1000 {
		r.AddUser("p", "k", fmt.Sprintf("u%d", i))
	}
	b.ReportAllocs()
	for b.Loop() {
		serve(b, r, http.MethodGet, kafkaPath, "")
	}
}

func BenchmarkCreateUser(b *testing.B) {
	r := newRig(b, aivensim.WithKeySize(2048))
	r.SetUserLimit("p", "k", -1)
	n := 0
	for b.Loop() {
		n++
		serve(b, r, http.MethodPost, kafkaPath+"/user", fmt.Sprintf(`{"username":"u%d"}`, n))
	}
}

func serve(b *testing.B, r rig, method, path, body string) {
	b.Helper()
	req := httptest.NewRequestWithContext(b.Context(), method, path, strings.NewReader(body))
	req.Header.Set("Authorization", "aivenv1 t-admin")
	w := httptest.NewRecorder()
	r.ServeHTTP(w, req)
	if w.Code != http.StatusOK {
		b.Fatalf("%d %s", w.Code, w.Body)
	}
}
