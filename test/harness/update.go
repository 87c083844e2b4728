// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"context"
	"fmt"
	"reflect"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Update changes an object as it is, as a person with an editor would: again when somebody
// else wrote it meanwhile. It returns what came of it. Only the name of the supplied
// object matters, and its kind if it is unstructured.
func Update[O client.Object](t *testing.T, kube client.Client, named O, change func(o O)) O {
	t.Helper()
	var is O
	Eventually(t, fmt.Sprintf("%T %s is changed", named, named.GetName()), func(ctx context.Context) error {
		// What is left of an attempt before must not be written.
		is = reflect.New(reflect.TypeOf(named).Elem()).Interface().(O) //nolint:forcetypeassert // It is the same type.
		is.GetObjectKind().SetGroupVersionKind(named.GetObjectKind().GroupVersionKind())
		if err := kube.Get(ctx, client.ObjectKeyFromObject(named), is); err != nil {
			return err
		}
		change(is)
		return kube.Update(ctx, is)
	})
	return is
}
