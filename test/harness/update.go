// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Update changes an object as it is, as a person with an editor would: again when somebody
// else wrote it meanwhile. It returns what came of it. Only the name of the supplied
// object matters.
func Update[T any, O interface {
	*T
	client.Object
}](t *testing.T, kube client.Client, named O, change func(o O)) O {
	t.Helper()
	var is O
	Eventually(t, fmt.Sprintf("%T %s is changed", named, named.GetName()), func(ctx context.Context) error {
		is = new(T) // What is left of an attempt before must not be written.
		if err := kube.Get(ctx, client.ObjectKeyFromObject(named), is); err != nil {
			return err
		}
		change(is)
		return kube.Update(ctx, is)
	})
	return is
}
