// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"bytes"
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

type wireProject struct {
	AccountID        string            `json:"account_id"`
	AvailableCredits string            `json:"available_credits"`
	BillingCurrency  string            `json:"billing_currency"`
	CardInfo         *string           `json:"card_info"`
	DefaultCloud     string            `json:"default_cloud"`
	EstimatedBalance string            `json:"estimated_balance"`
	OrganizationID   string            `json:"organization_id"`
	ProjectName      string            `json:"project_name"`
	Tags             map[string]string `json:"tags"`
	TechEmails       []wireEmail       `json:"tech_emails"`
	TenantID         string            `json:"tenant_id"`
	TrialExpiration  *string           `json:"trial_expiration_time"`
}

type wireEmail struct {
	Email string `json:"email"`
}

func describeProject(name string) wireProject {
	return wireProject{
		AccountID:        "a000000000000",
		AvailableCredits: "0.00",
		BillingCurrency:  "EUR",
		DefaultCloud:     "google-europe-north1",
		EstimatedBalance: "0.00",
		OrganizationID:   "org00000000000",
		ProjectName:      name,
		Tags:             map[string]string{},
		TechEmails:       []wireEmail{},
		TenantID:         "aiven",
	}
}

func (s *Server) listProjects(c *call) (any, *apiError) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	role := string(cmp.Or(c.caller.permission, PermissionAdmin))
	projects := []wireProject{}
	membership, memberships := map[string]string{}, map[string][]string{}
	for _, name := range slices.Sorted(maps.Keys(s.projects)) {
		if c.caller.member(name) {
			projects = append(projects, describeProject(name))
			membership[name], memberships[name] = role, []string{role}
		}
	}
	return map[string]any{
		"projects":            projects,
		"project_membership":  membership,
		"project_memberships": memberships,
	}, nil
}

func (s *Server) getProject(c *call) (any, *apiError) {
	return map[string]any{"project": describeProject(c.project)}, nil
}

func (s *Server) getProjectCA(c *call) (any, *apiError) {
	s.mu.RLock()
	p := s.projects[c.project]
	s.mu.RUnlock()
	if p == nil {
		return nil, errNoProject
	}
	return map[string]string{"certificate": p.ca.bundle(c.now)}, nil
}

// bundle is every certificate of the project's authorities, oldest first.
func (a *authorities) bundle(now time.Time) string {
	var b strings.Builder
	for _, x := range a.all(now) {
		b.WriteString(x.pem)
	}
	return b.String()
}

func (s *Server) listServices(c *call) (any, *apiError) {
	v, err := s.view(c)
	if err != nil {
		return nil, err
	}
	s.mu.RLock()
	p := s.projects[c.project]
	if p == nil {
		s.mu.RUnlock()
		return nil, errNoProject
	}
	var snapshots []snapshot
	for _, name := range slices.Sorted(maps.Keys(p.services)) {
		snapshots = append(snapshots, p.services[name].capture(c.now))
	}
	s.mu.RUnlock()
	var out bytes.Buffer
	out.WriteString(`{"services":[`)
	for i := range snapshots {
		if i > 0 {
			out.WriteByte(',')
		}
		snapshots[i].encode(&out, v)
	}
	out.WriteString("]}")
	return rawJSON(out.Bytes()), nil
}

func (s *Server) getService(c *call) (any, *apiError) {
	return s.answerService(c, "")
}

// answerService answers with the whole service, as reads and writes of users' properties do.
func (s *Server) answerService(c *call, message string) (any, *apiError) {
	v, err := s.view(c)
	if err != nil {
		return nil, err
	}
	var snap snapshot
	if err := s.read(c, func(svc *service) *apiError {
		snap = svc.capture(c.now)
		return nil
	}); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteByte('{')
	if message != "" {
		out.WriteString(`"message":"` + message + `",`)
	}
	out.WriteString(`"service":`)
	snap.encode(&out, v)
	out.WriteByte('}')
	return rawJSON(out.Bytes()), nil
}
