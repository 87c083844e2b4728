// SPDX-License-Identifier: Apache-2.0

package v1

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

const (
	// Kubernetes: names of objects have at most 253 characters.
	maxNameLength = 253

	hashLength = 8
)

// Labels and annotations of the objects that the provider writes.
const (
	// LabelApplication is on composed managed resources and published Secrets:
	// the name of the AivenApplication, shortened with a hash when it is longer
	// than a label may be.
	LabelApplication = "aiven.nais.io/application"
	// LabelService is on composed managed resources: "kafka", "opensearch" or
	// "valkey".
	LabelService = "aiven.nais.io/service"

	// LabelApp, LabelTeam and LabelType are on published Secrets; aivenator's.
	LabelApp  = "app"
	LabelTeam = "team"
	LabelType = "type"
	// SecretType is the value of LabelType.
	SecretType = "aivenator.aiven.nais.io"

	// LabelManagedBy with value ManagedBy is on published Secrets.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedBy is the value of LabelManagedBy.
	ManagedBy = "provider-aiven"

	// AnnotationApplication is on composed managed resources and published
	// Secrets: the name of the AivenApplication, whole.
	AnnotationApplication = "aiven.nais.io/application"
	// AnnotationInstance is on composed managed resources of a Valkey instance:
	// its name.
	AnnotationInstance = "aiven.nais.io/instance"
	// AnnotationRevision is on composed managed resources: the revision they
	// were made for.
	AnnotationRevision = "aiven.nais.io/revision"
	// AnnotationSecret is on composed managed resources: the Secret that their
	// credentials are published in. Others that hold them too are among their owners.
	AnnotationSecret = "aiven.nais.io/secret"
	// AnnotationAcknowledge is on managed resources whose certificate Aiven renewed
	// and nothing uses the old one of any more: the end of the new one. They tell
	// Aiven, which then stops reminding people.
	AnnotationAcknowledge = "aiven.nais.io/acknowledge-renewal"
	// AnnotationRotate is on applications: each new value asks for a rotation, as
	// spec.rotation.requestedAt does.
	AnnotationRotate = "aiven.nais.io/rotate-requested-at"

	// FinalizerRevoke is on published Secrets: it waits until the users that only
	// the Secret holds are gone from Aiven.
	FinalizerRevoke = "aiven.nais.io/revoke"
	// FinalizerAivenator is aivenator's on Secrets that it wrote.
	FinalizerAivenator = "aivenator.aiven.nais.io/finalizer"
	// AnnotationProtected, with value "true", is on published Secrets that nobody
	// but a person removes.
	AnnotationProtected = "aiven.nais.io/protected"
	// AnnotationExpiresAt is on published Secrets whose access ends then, RFC 3339.
	AnnotationExpiresAt = "aiven.nais.io/expires-at"
	// AnnotationUnusedSince is on published Secrets that no application names and
	// no workload uses, RFC 3339. They are removed some time later.
	AnnotationUnusedSince = "aiven.nais.io/unused-since"

	// AnnotationContentHash is on published Secrets and changes with their
	// content only.
	AnnotationContentHash = "aiven.nais.io/content-hash"

	// AnnotationGeneratedUsername is on managed resources whose username the
	// provider made up, and holds it. An external name that differs was set by a
	// person, who thereby imports that user.
	AnnotationGeneratedUsername = "aiven.nais.io/generated-username"
	// AnnotationInherited is on managed resources of users that aivenator made for
	// the application, or that were seen with another token only, and proves that who wrote it had the
	// user's password.
	AnnotationInherited = "aiven.nais.io/inherited-user"
	// AnnotationUsernameTaken is on managed resources whose generated or inherited
	// username belongs to somebody else at Aiven, and holds it.
	AnnotationUsernameTaken = "aiven.nais.io/username-taken"
)

// Shorten returns s if it has at most length bytes, else its beginning and a
// hash of the whole.
func Shorten(s string, length int) string {
	if len(s) <= length {
		return s
	}
	return strings.TrimRight(s[:length-hashLength-1], "-.") + "-" + Digest(s)
}

// Digest returns 8 hex digits that differ between different texts, as far as
// chance allows.
func Digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])[:hashLength]
}

// ApplicationOf returns the name of the AivenApplication that an object was
// composed or published for, empty when there is none.
func ApplicationOf(o metav1.Object) string { return o.GetAnnotations()[AnnotationApplication] }

// RevisionOf returns the revision that a managed resource was made for, 1 when it
// does not say.
func RevisionOf(o metav1.Object) int64 {
	n, err := strconv.ParseInt(o.GetAnnotations()[AnnotationRevision], 10, 64)
	if err != nil {
		return 1
	}
	return n
}

// IsSecretOwner tells whether an owner is a Secret. Those of a composed managed
// resource hold its credentials.
func IsSecretOwner(o metav1.OwnerReference) bool { return o.Kind == "Secret" && o.APIVersion == "v1" }
