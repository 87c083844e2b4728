// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
	"github.com/provider-aiven/provider-aiven/internal/username"
)

// inherits tells whether a managed resource claims a user that was made before it,
// whatever its name. The claim stands when it proves itself by the user's password: nothing
// else counts then, since anybody may write it.
func inherits(mg metav1.Object) bool { return mg.GetAnnotations()[v1.AnnotationInherited] != "" }

// proves tells whether whoever wrote the managed resource knows the password of
// the user.
func proves(mg metav1.Object, u aiven.User) bool {
	return u.Type != aiven.TypePrimary &&
		username.Proves(mg.GetAnnotations()[v1.AnnotationInherited], mg.GetNamespace(), mg.GetName(), u.Username, u.Password)
}
