// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// TestSecretsOfEveryField fills in, one by one, every field below a Pod's spec
// that by its name or type refers to a Secret. A way to refer to Secrets that a
// later version of Kubernetes brings fails here.
func TestSecretsOfEveryField(t *testing.T) {
	t.Parallel()
	paths := secretFields(reflect.TypeFor[corev1.PodSpec](), nil, nil)
	for _, path := range paths {
		t.Run(strings.Join(path, "."), func(t *testing.T) {
			t.Parallel()
			var s corev1.PodSpec
			set(reflect.ValueOf(&s).Elem(), path, "found")
			if got := secretsOf(&s); !slices.Equal(got, []string{"found"}) {
				t.Errorf("secretsOf(...): want the Secret that %s names, got %v", strings.Join(path, "."), got)
			}
		})
	}
	// The walk itself should not miss what is known: nine kinds of volumes, projections,
	// registries, and two fields of three kinds of containers.
	if len(paths) < 18 {
		t.Errorf("secretFields(...): want at least 18 fields, got %d: %v", len(paths), paths)
	}
}

// secretFields returns the paths of all texts below the supplied type that hold a Secret's name.
func secretFields(t reflect.Type, path []string, seen []reflect.Type) [][]string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || slices.Contains(seen, t) {
		return nil
	}
	var out [][]string
	for f := range t.Fields() {
		at := append(slices.Clone(path), f.Name)
		about := slices.ContainsFunc(at, func(name string) bool { return strings.Contains(name, "Secret") })
		switch {
		case f.Type.Kind() == reflect.String && (f.Name == "SecretName" || about && f.Name == "Name"):
			out = append(out, at)
		default:
			out = append(out, secretFields(f.Type, at, append(slices.Clone(seen), t))...)
		}
	}
	return out
}

// set makes what leads to the supplied path, with one element in every list.
func set(v reflect.Value, path []string, text string) {
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		set(v.Elem(), path, text)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		set(v.Index(0), path, text)
	case reflect.Struct:
		set(v.FieldByName(path[0]), path[1:], text)
	default:
		v.SetString(text)
	}
}
