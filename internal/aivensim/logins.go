// SPDX-License-Identifier: Apache-2.0

package aivensim

import "net/http"

// A LoginAttempt is what a client of a service presents: a password, or a client certificate.
type LoginAttempt struct {
	// Username and Password, for all services.
	Username string `json:"username,omitempty"`
	Password string `json:"password,omitempty"`
	// Certificate and Key, PEM, for Kafka. They are looked at when Username is empty.
	Certificate string `json:"certificate,omitempty"`
	Key         string `json:"key,omitempty"`
}

// postLogin tells programs in other processes what Login and LoginCertificate tell those in this one:
// 204 when the service would accept the attempt now, and 401 when it would not.
func (s *Server) postLogin(w http.ResponseWriter, r *http.Request) {
	var a LoginAttempt
	if !decodeInto(w, r, &a) {
		return
	}
	project, service := r.PathValue("project"), r.PathValue("service")
	accepted := a.Username != "" && s.Login(project, service, a.Username, a.Password) ||
		a.Username == "" && s.LoginCertificate(project, service, []byte(a.Certificate), []byte(a.Key))
	if !accepted {
		refuse(w, http.StatusUnauthorized, "the service does not accept these credentials")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
