// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	v1 "github.com/provider-aiven/provider-aiven/apis/v1"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
	"github.com/provider-aiven/provider-aiven/internal/aiven"
)

func observation(s *aiven.Service, u aiven.User) v1alpha1.ServiceUserObservation {
	o := v1alpha1.ServiceUserObservation{Username: u.Username, Type: u.Type, ServiceState: s.State}
	if !u.CertificateNotAfter.IsZero() {
		t := metav1.NewTime(u.CertificateNotAfter)
		o.CertificateNotAfter = &t
	}
	return o
}

// observed returns the observation that follows another. A certificate that
// ends later than the one before was renewed by Aiven, and the one before works until its
// end. Aiven: it does not tell when that is through this client.
func observed(was v1alpha1.ServiceUserObservation, s *aiven.Service, u aiven.User) v1alpha1.ServiceUserObservation {
	o := observation(s, u)
	if was.Username != o.Username || was.CertificateNotAfter == nil || o.CertificateNotAfter == nil {
		return o
	}
	o.ExpiringCertificateNotAfter = was.ExpiringCertificateNotAfter
	if was.CertificateNotAfter.Time.Before(o.CertificateNotAfter.Truncate(time.Second)) {
		o.ExpiringCertificateNotAfter = was.CertificateNotAfter
	}
	return o
}

// acknowledges tells whether Aiven should be told that nothing uses the renewed
// certificate's predecessor any more.
func acknowledges(mg ServiceUser) bool {
	o := mg.GetServiceUserObservation()
	return o.ExpiringCertificateNotAfter != nil && o.CertificateNotAfter != nil &&
		mg.GetAnnotations()[v1.AnnotationAcknowledge] == o.CertificateNotAfter.UTC().Format(time.RFC3339)
}
