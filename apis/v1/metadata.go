// SPDX-License-Identifier: Apache-2.0

package v1

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
	// belong to.
	AnnotationRevision = "aiven.nais.io/revision"
	// AnnotationContentHash is on published Secrets and changes with their
	// content only.
	AnnotationContentHash = "aiven.nais.io/content-hash"

	// AnnotationGeneratedUsername is on managed resources whose username the
	// provider made up, and holds it. An external name that differs was set by a
	// person, who thereby imports that user.
	AnnotationGeneratedUsername = "aiven.nais.io/generated-username"
	// AnnotationUsernameTaken is on managed resources whose generated username
	// belongs to somebody else at Aiven, and holds it.
	AnnotationUsernameTaken = "aiven.nais.io/username-taken"
)
