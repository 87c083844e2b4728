// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"os"
	"regexp"
	"strings"
	"testing"

	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
)

// TestAdviceOnEveryReason holds that each reason that the runbook explains has a
// word of advice here.
func TestAdviceOnEveryReason(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../docs/runbook.md")
	if err != nil {
		t.Fatal(err)
	}
	tables := map[string]map[xpv2.ConditionReason]string{
		"Ready of an AivenApplication": readyAdvice, "Rotated": rotatedAdvice, "Expiring": expiringAdvice,
		"Managed resources": readyAdvice, "Configurations": healthyAdvice,
	}
	reason := regexp.MustCompile("`([A-Z][A-Za-z]+)`")
	heading, found := "", 0
	for line := range strings.Lines(string(b)) {
		if h, ok := strings.CutPrefix(line, "## "); ok {
			heading = strings.TrimSpace(h)
		}
		if !strings.HasPrefix(line, "| `") || tables[heading] == nil {
			continue
		}
		cell, _, _ := strings.Cut(line[1:], "|")
		for _, m := range reason.FindAllStringSubmatch(cell, -1) {
			found++
			r := xpv2.ConditionReason(m[1])
			_, own := tables[heading][r]
			_, ready := readyAdvice[r]
			if !own && !ready {
				t.Errorf("%s: there is no advice on reason %s", heading, r)
			}
		}
	}
	if found < len(readyAdvice) {
		t.Errorf("only %d reasons were found in docs/runbook.md: has it changed?", found)
	}
}
