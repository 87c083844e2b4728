// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
)

// simulator is followed in the clone, with what go keeps at home.
func simulator(p *page) {
	p.Dir, p.Env = tree, os.Environ()
	p.Replace = strings.NewReplacer(":8090", ":0") // Whichever is free.
	a := aiven{page: p, url: p.Start("./cmd/aivensim", "http://")}
	p.Replace = strings.NewReplacer("localhost:8090", strings.TrimPrefix(a.url, "http://"))

	password, status := a.create("seen")
	if status != http.StatusOK || password == "" {
		p.t.Fatalf("a user should be made: %d", status)
	}
	out := p.Next("/-/faults")
	p.says(out, "demo-project", "valkey-demo-cache", `"seen"`, "by_operation", "CreateUser", "Flags:")
	if strings.Contains(out, password) {
		p.t.Error("the state has a credential")
	}
	if _, status := a.create("lost"); status != http.StatusInternalServerError {
		p.t.Errorf("the answer should be lost: %d", status)
	}
	if _, status := a.create("next"); status != http.StatusOK {
		p.t.Errorf("only one answer should be lost: %d", status)
	}
	p.says(p.Run("curl -s "+a.url+"/-/state"), `"lost"`, `"next"`)
	p.Run("curl -s -X POST " + a.url + `/-/faults -d '{"operation":"CreateUser","status":500}'`)
	p.Next("DELETE")
	if _, status := a.create("after"); status != http.StatusOK {
		p.t.Errorf("no answer should be lost any more: %d", status)
	}
}

// aiven is what a page started.
type aiven struct {
	*page

	url string
}

// create makes a user, and returns the password and the status of the answer.
func (a aiven) create(name string) (password string, status int) {
	a.t.Helper()
	req, err := http.NewRequestWithContext(a.t.Context(), http.MethodPost, a.url+"/v1/project/demo-project/service/valkey-demo-cache/user", strings.NewReader(`{"username":"`+name+`"}`))
	if err != nil {
		a.t.Fatal(err)
	}
	req.Header.Set("Authorization", "aivenv1 demo-token")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		a.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		a.t.Fatal(err)
	}
	var answer struct {
		User struct {
			Password string `json:"password"`
		} `json:"user"`
	}
	if err := json.Unmarshal(b, &answer); err != nil {
		a.t.Fatalf("%s: %v", b, err)
	}
	return answer.User.Password, res.StatusCode
}
