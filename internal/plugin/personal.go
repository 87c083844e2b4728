// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pkg/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
)

// What personal access is known by. They are API.
const (
	// LabelAccessTo is on applications that are a person's own access: the name of
	// the application whose services they use, shortened like v1.LabelApplication.
	LabelAccessTo = "aiven.nais.io/access-to"
	// AnnotationAccessTo is the same name, whole.
	AnnotationAccessTo = "aiven.nais.io/access-to"
	// AnnotationRequestedBy is the person, as the API server knows them. Whoever may
	// write the object may write anything here; the audit log is the proof.
	AnnotationRequestedBy = "aiven.nais.io/requested-by"
	// AnnotationPurpose is why they need it, in their words.
	AnnotationPurpose = "aiven.nais.io/purpose"
)

const (
	// maxPersonal is how long a name may be that is a label's value and, with
	// "-aiven" behind it, a Secret's name.
	maxPersonal = 57
	maxPerson   = 20
	maxLabel    = 63
)

var notInName = regexp.MustCompile(`[^a-z0-9]+`)

// personalName returns the name of a person's own application for the services of
// another one. Two people never have the same.
func personalName(app, person string) string {
	short, _, _ := strings.Cut(strings.ToLower(person), "@")
	short = short[strings.LastIndex(short, ":")+1:]
	short = strings.Trim(notInName.ReplaceAllString(short, "-"), "-")
	short = strings.Trim(short[:min(len(short), maxPerson)], "-")
	tail := "-" + v1.Digest(person)
	if short != "" {
		tail = "-" + short + tail
	}
	return v1.Shorten(app, maxPersonal-len(tail)) + tail
}

// A personalAccess is what a person asks for.
type personalAccess struct {
	person, purpose string
	until           time.Time
	readOnly        bool
}

// application returns a person's own application for the services of another
// one. It has no rotation, since it ends within a day, and needs no protection, since an
// application names its Secret until then: the janitor leaves that alone.
func (a personalAccess) application(of *v1.AivenApplication) *v1.AivenApplication {
	name := personalName(of.GetName(), a.person)
	spec := v1.AivenApplicationSpec{
		SecretName:        name + "-aiven",
		ExpiresAt:         &metav1.Time{Time: a.until.UTC().Truncate(time.Second)},
		Rotation:          &v1.RotationSpec{Interval: &metav1.Duration{}},
		ProviderConfigRef: of.Spec.ProviderConfigRef.DeepCopy(),
		AuthSecretRef:     of.Spec.AuthSecretRef.DeepCopy(),
		Kafka:             of.Spec.Kafka.DeepCopy(),
		OpenSearch:        of.Spec.OpenSearch.DeepCopy(),
	}
	if spec.Kafka != nil {
		spec.Kafka.SecretName = ""
		for i := range spec.Kafka.ACL {
			spec.Kafka.ACL[i].Access = a.limit(spec.Kafka.ACL[i].Access)
		}
		for i := range spec.Kafka.SchemaRegistry {
			spec.Kafka.SchemaRegistry[i].Access = a.limit(spec.Kafka.SchemaRegistry[i].Access)
		}
	}
	if spec.OpenSearch != nil {
		spec.OpenSearch.SecretName, spec.OpenSearch.Access = "", a.limit(spec.OpenSearch.Access)
	}
	for _, v := range of.Spec.Valkey {
		spec.Valkey = append(spec.Valkey, v1.ValkeySpec{Instance: v.Instance, Access: a.limit(v.Access)})
	}
	out := &v1.AivenApplication{
		ObjectMeta: metav1.ObjectMeta{
			Name: name, Namespace: of.GetNamespace(),
			Labels:      map[string]string{LabelAccessTo: v1.Shorten(of.GetName(), maxLabel)},
			Annotations: map[string]string{AnnotationAccessTo: of.GetName(), AnnotationRequestedBy: a.person},
		},
		Spec: spec,
	}
	if a.purpose != "" {
		out.Annotations[AnnotationPurpose] = a.purpose
	}
	return out
}

func (a personalAccess) limit(access v1.Access) v1.Access {
	if a.readOnly {
		return v1.AccessRead
	}
	return access
}

// checkMine returns an error unless an application is the person's own access.
func checkMine(app *v1.AivenApplication, of, person string) error {
	a := app.GetAnnotations()
	if a[AnnotationRequestedBy] != person || a[AnnotationAccessTo] != of {
		return errors.Errorf("there is an application %s already that is not your access to %s: it is left alone", app.GetName(), of)
	}
	return nil
}

// accessNotes says, for each service, what the person may do there.
func accessNotes(app *v1.AivenApplication, of string) []string {
	var out []string
	if k := app.Spec.Kafka; k != nil {
		switch n := len(k.ACL); n {
		case 0:
			out = append(out, fmt.Sprintf("kafka: you can connect, and nothing more unless somebody grants it: %s has no spec.kafka.acl, and what others granted its users does not hold for yours", of))
		default:
			topics := make([]string, 0, n)
			for _, a := range k.ACL {
				topics = append(topics, a.Topic+" ("+string(a.Access)+")")
			}
			out = append(out, "kafka: topics "+first(topics))
		}
	}
	if o := app.Spec.OpenSearch; o != nil {
		out = append(out, fmt.Sprintf("opensearch %s: %s, all indexes", o.Instance, orElse(string(o.Access), string(v1.AccessRead))))
	}
	for _, v := range app.Spec.Valkey {
		out = append(out, fmt.Sprintf("valkey %s: %s, all keys", v.Instance, orElse(string(v.Access), string(v1.AccessRead))))
	}
	return out
}
