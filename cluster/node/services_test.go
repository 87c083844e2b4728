// SPDX-License-Identifier: Apache-2.0

package node

import (
	"os/exec"
	"strings"
	"testing"
)

func TestServices(t *testing.T) {
	s := &services{dir: t.TempDir()}
	t.Cleanup(func() { _ = s.stop() })
	for _, v := range []service{
		{name: "first", path: "/bin/sleep", args: []string{"600"}},
		{name: "second", path: "/bin/sh", args: []string{"-c", "echo $GREETING; exec sleep 600"}, env: []string{"GREETING=hello"}},
	} {
		if err := s.start(v); err != nil {
			t.Fatalf("start(%q): %v", v.name, err)
		}
	}
	before := s.list[0].process
	if err := s.restart("first"); err != nil {
		t.Errorf("restart(...): %v", err)
	}
	if !before.Exited() || s.list[0].process.Exited() {
		t.Error("restart(...): the old process runs, or the new one does not")
	}
	if err := s.restart("third"); err == nil {
		t.Error("restart(...) of what does not run: no error")
	}

	// A guest may end.
	guest, err := s.adopt(service{name: "guest", guest: true}, exec.Command("true"))
	if err != nil {
		t.Fatal(err)
	}
	<-guest.Done()
	if err := s.check(); err != nil {
		t.Errorf("check() after a guest has ended: %v", err)
	}
	// What the cluster consists of may not.
	if err := s.start(service{name: "broken", path: "/bin/sh", args: []string{"-c", "echo sorry"}}); err != nil {
		t.Fatal(err)
	}
	<-s.list[3].process.Done()
	if err := s.check(); err == nil || !strings.HasSuffix(err.Error(), "broken has ended; the end of its log: sorry") {
		t.Errorf("check() after a service has ended: %v", err)
	}

	if err := s.remove("broken", "nothing"); err != nil {
		t.Errorf("remove(...): %v", err)
	}
	if err := s.check(); err != nil {
		t.Errorf("check() after remove(...): %v", err)
	}
	running := s.list[0].process
	if err := s.stop(); err != nil {
		t.Errorf("stop(): %v", err)
	}
	if !running.Exited() || len(s.list) > 0 {
		t.Error("stop(): processes are left")
	}
}
