// SPDX-License-Identifier: Apache-2.0

package v1alpha1

import (
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// ClusterCredentials say where the token of a ClusterProviderConfig is.
// +kubebuilder:validation:XValidation:rule="self.source != 'Secret' || has(self.secretRef)",message="source Secret needs secretRef (namespace, name, key)"
// +kubebuilder:validation:XValidation:rule="self.source != 'Environment' || has(self.env)",message="source Environment needs env.name"
// +kubebuilder:validation:XValidation:rule="self.source != 'Filesystem' || has(self.fs)",message="source Filesystem needs fs.path"
type ClusterCredentials struct {
	// Source of the token: a Secret, or an environment variable or a file of the
	// provider's own pod.
	// +kubebuilder:validation:Enum=Secret;Environment;Filesystem
	Source xpv2.CredentialsSource `json:"source"`

	xpv2.CommonCredentialSelectors `json:",inline"`
}

// LocalCredentials say where the token of a ProviderConfig is.
type LocalCredentials struct {
	// Source of the token: a Secret of the same namespace, and nothing else.
	// +kubebuilder:validation:Enum=Secret
	// +kubebuilder:default=Secret
	// +optional
	Source xpv2.CredentialsSource `json:"source,omitempty"`

	// SecretRef is the key of a Secret, in the namespace of the ProviderConfig,
	// that holds the token.
	SecretRef xpv2.LocalSecretKeySelector `json:"secretRef"`
}

// OrphanPolicy says what is done about users that no object claims.
// +kubebuilder:validation:Enum=Report;Delete
type OrphanPolicy string

// What is done about users at Aiven whose names are ours and that no object
// claims any more.
const (
	// OrphansReport reports them, and does nothing else.
	OrphansReport OrphanPolicy = "Report"
	// OrphansDelete also deletes those that this cluster can prove it made.
	OrphansDelete OrphanPolicy = "Delete"
)

// AllowedNamespaces say which namespaces may use a configuration: those that are
// listed, and those whose labels are selected.
// +kubebuilder:validation:XValidation:rule="has(self.names) || has(self.selector)",message="allowedNamespaces needs names, a selector, or both; leave it out to allow all namespaces"
// +kubebuilder:validation:XValidation:rule="!has(self.selector) || !has(self.selector.matchExpressions) || self.selector.matchExpressions.all(e, e.operator in ['In', 'NotIn'] ? has(e.values) && size(e.values) > 0 : e.operator in ['Exists', 'DoesNotExist'] && (!has(e.values) || size(e.values) == 0))",message="selector.matchExpressions have an operator In or NotIn with values, or Exists or DoesNotExist without"
type AllowedNamespaces struct {
	// Names of namespaces.
	// +optional
	// +listType=set
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=1024
	// +kubebuilder:validation:items:MaxLength=63
	// +kubebuilder:validation:items:Pattern=`^[a-z0-9]([-a-z0-9]*[a-z0-9])?$`
	Names []string `json:"names,omitempty"`

	// Selector of namespaces by their labels. An empty selector selects all.
	// +optional
	Selector *metav1.LabelSelector `json:"selector,omitempty"`
}

// A UsernamePolicy says which users managed resources may be of.
// +kubebuilder:validation:Enum=Own;Any
type UsernamePolicy string

// Which users managed resources may be of.
const (
	// UsernamesOwn are those that the provider makes up for the namespace and the
	// name of the managed resource, or of its application.
	UsernamesOwn UsernamePolicy = "Own"
	// UsernamesAny are all users of the services that the namespace may use.
	UsernamesAny UsernamePolicy = "Any"
)

// A ProviderConfigSpec is a configuration for one namespace.
type ProviderConfigSpec struct {
	// Credentials say where the Aiven token is.
	Credentials LocalCredentials `json:"credentials"`

	ServiceSettings `json:",inline"`
}

// A ClusterProviderConfigSpec is a configuration for all namespaces.
type ClusterProviderConfigSpec struct {
	// Credentials say where the Aiven token is.
	Credentials ClusterCredentials `json:"credentials"`

	ServiceSettings `json:",inline"`

	// Orphans are users on the services of this configuration whose names are
	// made like those of applications and that no managed resource of this cluster claims, such
	// as are left when somebody removes a finalizer by force. Report (the default) counts them in metrics
	// and says so in events on this configuration. Delete also deletes those that
	// this cluster recorded as made by itself. Users of other clusters that share the services are never touched.
	// +optional
	// +kubebuilder:default=Report
	Orphans OrphanPolicy `json:"orphans,omitempty"`

	// AllowedNamespaces may use this configuration's token. In others
	// applications and managed resources are refused with reason NotAllowed; what they have
	// stays as it is, and can be deleted. Default: all namespaces.
	// +optional
	AllowedNamespaces *AllowedNamespaces `json:"allowedNamespaces,omitempty"`

	// Usernames says which users managed resources may be of. Own (the default):
	// those that the provider makes up for the namespace. Any: whatever the annotation
	// crossplane.io/external-name says; whoever may write managed resources can then import, and so read and delete,
	// any user of the services the namespace may use, the built-in one's credentials included.
	// +optional
	// +kubebuilder:default=Own
	Usernames UsernamePolicy `json:"usernames,omitempty"`
}

// A ProviderConfigStatus is what is known of a configuration.
type ProviderConfigStatus struct {
	xpv2.ProviderConfigStatus `json:",inline"`

	// Token is what is known of the token. The condition Healthy says whether it
	// works.
	// +optional
	Token *TokenStatus `json:"token,omitempty"`
}

// A TokenStatus is what is known of a token.
type TokenStatus struct {
	// CheckedAt is when Aiven was last asked.
	CheckedAt metav1.Time `json:"checkedAt"`

	// Projects that the configuration names, with what the token may do there.
	// +optional
	// +listType=map
	// +listMapKey=name
	Projects []ProjectRights `json:"projects,omitempty"`
}

// ProjectRights are what a token may do in a project, as far as it was seen: the
// provider tries no more than it needs. Yes or No; absent when it was not tried.
type ProjectRights struct {
	// Name of the Aiven project.
	Name string `json:"name"`

	// ReadServices: services and their users can be read.
	// +optional
	ReadServices string `json:"readServices,omitempty"`

	// ReadSecrets: credentials of users are not withheld.
	// +optional
	ReadSecrets string `json:"readSecrets,omitempty"`

	// WriteUsers: users can be made and deleted.
	// +optional
	WriteUsers string `json:"writeUsers,omitempty"`
}

// +kubebuilder:object:root=true

// A ProviderConfig is a team's own Aiven token, for its own namespace. The one
// named "default" is used by every AivenApplication of the namespace that names
// none. Managed resources have to name it.
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,provider,aiven}
// +kubebuilder:printcolumn:name="SECRET",type="string",JSONPath=".spec.credentials.secretRef.name"
// +kubebuilder:printcolumn:name="HEALTHY",type="string",JSONPath=".status.conditions[?(@.type=='Healthy')].status"
// +kubebuilder:printcolumn:name="USERS",type="integer",JSONPath=".status.users"
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type ProviderConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ProviderConfigSpec   `json:"spec"`
	Status ProviderConfigStatus `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// A ProviderConfigList is a list of ProviderConfigs.
type ProviderConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ProviderConfig `json:"items"`
}

// +kubebuilder:object:root=true

// A ClusterProviderConfig is a platform team's Aiven token, for all namespaces.
// The one named "default" is used by all who name none, but for AivenApplications
// of a namespace that has a ProviderConfig "default".
// +kubebuilder:subresource:status
// +kubebuilder:resource:scope=Cluster,categories={crossplane,provider,aiven}
// +kubebuilder:printcolumn:name="SOURCE",type="string",JSONPath=".spec.credentials.source"
// +kubebuilder:printcolumn:name="HEALTHY",type="string",JSONPath=".status.conditions[?(@.type=='Healthy')].status"
// +kubebuilder:printcolumn:name="USERS",type="integer",JSONPath=".status.users"
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type ClusterProviderConfig struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ClusterProviderConfigSpec `json:"spec"`
	Status ProviderConfigStatus      `json:"status,omitempty"`
}

// +kubebuilder:object:root=true

// A ClusterProviderConfigList is a list of ClusterProviderConfigs.
type ClusterProviderConfigList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ClusterProviderConfig `json:"items"`
}

// +kubebuilder:object:root=true

// A ProviderConfigUsage says that a managed resource uses a configuration. The
// provider writes it; nobody else needs to.
// +kubebuilder:resource:scope=Namespaced,categories={crossplane,provider,aiven}
// +kubebuilder:printcolumn:name="CONFIG-KIND",type="string",JSONPath=".providerConfigRef.kind"
// +kubebuilder:printcolumn:name="CONFIG-NAME",type="string",JSONPath=".providerConfigRef.name"
// +kubebuilder:printcolumn:name="RESOURCE-KIND",type="string",JSONPath=".resourceRef.kind"
// +kubebuilder:printcolumn:name="RESOURCE-NAME",type="string",JSONPath=".resourceRef.name"
// +kubebuilder:printcolumn:name="AGE",type="date",JSONPath=".metadata.creationTimestamp"
type ProviderConfigUsage struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	xpv2.TypedProviderConfigUsage `json:",inline"`
}

// +kubebuilder:object:root=true

// A ProviderConfigUsageList is a list of ProviderConfigUsages.
type ProviderConfigUsageList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []ProviderConfigUsage `json:"items"`
}
