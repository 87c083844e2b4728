// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"time"

	"github.com/crossplane/crossplane-runtime/v2/pkg/meta"

	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

// urgency says whose calls come first when Aiven allows fewer than are wanted:
// those for what a person just asked for, the newest before the others. Rotations
// and deletions have time.
func urgency(mg ServiceUser) aiven.Urgency {
	u := aiven.Urgency{Class: aiven.ClassEdit, Since: mg.GetCreationTimestamp().Time}
	switch {
	case meta.WasDeleted(mg):
		u = aiven.Urgency{Class: aiven.ClassRoutine, Since: mg.GetDeletionTimestamp().Time}
	case rotates(mg), mg.GetServiceUserObservation().Username != "":
		u.Class = aiven.ClassRoutine
	}
	if u.Since.IsZero() {
		u.Since = time.Now()
	}
	return u
}
