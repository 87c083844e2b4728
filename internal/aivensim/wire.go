// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"time"
)

// rawJSON is an answer that is encoded already.
type rawJSON []byte

// timestamp renders a time as the API does: RFC 3339 in UTC.
func timestamp(t time.Time) string {
	return t.UTC().Format("2006-01-02T15:04:05Z")
}

// mustJSON encodes values that cannot fail to encode, without escaping "<" and ">" .
func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic(fmt.Sprintf("cannot encode answer: %v", err))
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

type wireUser struct {
	Username            string              `json:"username"`
	Type                string              `json:"type"`
	Password            *string             `json:"password"`
	AccessCert          string              `json:"access_cert,omitempty"`
	AccessKey           string              `json:"access_key,omitempty"`
	CertNotAfter        string              `json:"access_cert_not_valid_after_time,omitempty"`
	ExpiringNotAfter    string              `json:"expiring_cert_not_valid_after_time,omitempty"`
	AccessControl       map[string][]string `json:"access_control,omitempty"`
	PasswordUpdatedTime string              `json:"password_updated_time"`
}

// view is how an answer shows secrets.
type view struct {
	now          time.Time
	redact       bool
	certificates bool // redact these too
	connections  bool // redact the built-in user's password within addresses too
	created      bool // the answer to a create, which has the password at once
}

// encodedUser renders a user, once for each form that it is asked in.
func (v view) encodedUser(svc *service, u *user) []byte {
	expiring := v.now.Before(u.expiring)
	form := 0
	switch {
	case v.redact && v.certificates, !u.expiring.IsZero() && !expiring:
		return mustJSON(v.user(svc, u)) // rare: not kept
	case v.redact:
		form = 1
	}
	if v.nullPassword(u) {
		form += 2
	}
	if b := u.encoded.forms[form].Load(); b != nil {
		return *b
	}
	b := mustJSON(v.user(svc, u))
	u.encoded.forms[form].Store(&b)
	return b
}

// nullPassword tells whether the API does not know a password, for good or not yet.
func (v view) nullPassword(u *user) bool {
	return u.password == "" || !v.created && v.now.Before(u.passwordAt)
}

func (v view) user(svc *service, u *user) wireUser {
	out := wireUser{
		Username:            u.name,
		Type:                u.kind,
		PasswordUpdatedTime: timestamp(u.updatedAt),
	}
	if !v.nullPassword(u) {
		password := u.password
		if v.redact {
			password = redacted
		}
		out.Password = &password
	}
	if u.cert != nil {
		out.AccessCert, out.AccessKey = u.cert.pem, u.cert.key.pem
		if v.redact && v.certificates {
			out.AccessCert, out.AccessKey = redacted, redacted
		}
		out.CertNotAfter = timestamp(u.cert.notAfter)
		if v.now.Before(u.expiring) {
			out.ExpiringNotAfter = timestamp(u.expiring)
		}
	}
	if svc.kind.aclPrefix != "" {
		out.AccessControl = u.access.wire(svc.kind.aclPrefix)
	}
	return out
}

// wire omits lists without values, as the API does.
func (a AccessControl) wire(prefix string) map[string][]string {
	out := map[string][]string{}
	for name, list := range listsOf(&a) {
		if len(*list) > 0 {
			out[prefix+name] = *list
		}
	}
	return out
}

// listsOf are the lists by the names that they have behind a type's prefix.
func listsOf(a *AccessControl) map[string]*[]string {
	return map[string]*[]string{
		"categories": &a.Categories,
		"commands":   &a.Commands,
		"keys":       &a.Keys,
		"channels":   &a.Channels,
		"databases":  &a.Databases,
	}
}

type wireNode struct {
	Name            string   `json:"name"`
	ProgressUpdates []string `json:"progress_updates"`
	Role            string   `json:"role"`
	State           string   `json:"state"`
}

type wireMaintenance struct {
	DOW     string   `json:"dow"`
	Time    string   `json:"time"`
	Updates []string `json:"updates"`
}

// wireService is the document of a service but for its users, which are appended encoded.
type wireService struct {
	ACL                   []KafkaACLEntry          `json:"acl"`
	Backups               []any                    `json:"backups"`
	CloudName             string                   `json:"cloud_name"`
	Components            []Component              `json:"components"`
	ConnectionInfo        map[string]any           `json:"connection_info"`
	ConnectionPools       []any                    `json:"connection_pools"`
	CreateTime            string                   `json:"create_time"`
	Databases             []string                 `json:"databases"`
	DiskSpaceMB           int                      `json:"disk_space_mb"`
	Features              map[string]bool          `json:"features"`
	GroupList             []string                 `json:"group_list"`
	KafkaACL              []KafkaNativeACLEntry    `json:"kafka_acl,omitempty"`
	Maintenance           wireMaintenance          `json:"maintenance"`
	Metadata              map[string]any           `json:"metadata"`
	NodeCount             int                      `json:"node_count"`
	NodeCPUCount          int                      `json:"node_cpu_count"`
	NodeMemoryMB          int                      `json:"node_memory_mb"`
	NodeStates            []wireNode               `json:"node_states"`
	Plan                  string                   `json:"plan"`
	ProjectVPCID          *string                  `json:"project_vpc_id"`
	SchemaRegistryACL     []SchemaRegistryACLEntry `json:"schema_registry_acl,omitempty"`
	ServiceIntegrations   []any                    `json:"service_integrations"`
	ServiceName           string                   `json:"service_name"`
	ServiceNotifications  []any                    `json:"service_notifications"`
	ServiceType           string                   `json:"service_type"`
	ServiceTypeDesc       string                   `json:"service_type_description"`
	ServiceURI            string                   `json:"service_uri"`
	ServiceURIParams      map[string]string        `json:"service_uri_params"`
	State                 string                   `json:"state"`
	Tags                  map[string]string        `json:"tags"`
	TechEmails            []any                    `json:"tech_emails"`
	TerminationProtection bool                     `json:"termination_protection"`
	UpdateTime            string                   `json:"update_time"`
	UserConfig            map[string]any           `json:"user_config"`
}

// snapshot is a copy of a service to be encoded after the lock is released.
type snapshot struct {
	service
	builtIn      *user
	visibleUsers []*user
}

// capture copies what an answer needs. The caller holds the lock.
func (svc *service) capture(now time.Time) snapshot {
	s := snapshot{service: *svc, builtIn: svc.primary(), visibleUsers: svc.visible(now)}
	s.kafkaACL = slices.DeleteFunc(append([]KafkaACLEntry{}, svc.kafkaACL...), func(e KafkaACLEntry) bool {
		return now.Before(svc.aclSeenAt[e.ID])
	})
	s.nativeACL = append([]KafkaNativeACLEntry{}, svc.nativeACL...)
	s.schemaACL = slices.DeleteFunc(append([]SchemaRegistryACLEntry{}, svc.schemaACL...), func(e SchemaRegistryACLEntry) bool {
		return now.Before(svc.aclSeenAt[e.ID])
	})
	s.users, s.order, s.aclSeenAt = nil, nil, nil
	return s
}

// encode appends the document of a service with its users.
func (s *snapshot) encode(out *bytes.Buffer, v view) {
	head := mustJSON(s.document(v, s.builtIn))
	out.Grow(len(head) + len(s.visibleUsers)*4608)
	out.Write(head[:len(head)-1])
	out.WriteString(`,"users":[`)
	for i, u := range s.visibleUsers {
		if i > 0 {
			out.WriteByte(',')
		}
		out.Write(v.encodedUser(&s.service, u))
	}
	out.WriteString("]}")
}

func (s *snapshot) document(v view, primary *user) wireService {
	c := connection{
		components: s.components,
		user:       primary.name,
		password:   primary.password,
		cert:       primary.cert,
		redactCert: v.redact && v.certificates,
	}
	if v.redact && v.connections {
		c.password = redacted
	}
	info, uri := s.kind.connect(c)
	node := wireNode{Name: s.name + "-1", ProgressUpdates: []string{}, Role: "master", State: "running"}
	return wireService{
		ACL:                  s.kafkaACL,
		Backups:              []any{},
		CloudName:            "google-europe-north1",
		Components:           s.components,
		ConnectionInfo:       info,
		ConnectionPools:      []any{},
		CreateTime:           timestamp(s.created),
		Databases:            []string{},
		DiskSpaceMB:          614400,
		Features:             features(s.kind),
		GroupList:            []string{"default"},
		KafkaACL:             s.nativeACL,
		Maintenance:          wireMaintenance{DOW: "sunday", Time: "03:42:01", Updates: []string{}},
		Metadata:             map[string]any{"service_version": s.kind.version},
		NodeCount:            3,
		NodeCPUCount:         2,
		NodeMemoryMB:         4096,
		NodeStates:           []wireNode{node},
		Plan:                 s.kind.plan,
		SchemaRegistryACL:    s.schemaACL,
		ServiceIntegrations:  []any{},
		ServiceName:          s.name,
		ServiceNotifications: []any{},
		ServiceType:          s.kind.name,
		ServiceTypeDesc:      s.kind.name,
		ServiceURI:           uri,
		ServiceURIParams:     uriParams(uri, c),
		State:                s.state,
		Tags:                 map[string]string{},
		TechEmails:           []any{},
		UpdateTime:           timestamp(s.updated),
		UserConfig:           userConfig(s.kind),
	}
}

// features are never null.
func features(kind *serviceType) map[string]bool {
	if kind.features == nil {
		return map[string]bool{}
	}
	return kind.features
}

// userConfig is never null.
func userConfig(kind *serviceType) map[string]any {
	if kind.userConfig == nil {
		return map[string]any{}
	}
	return kind.userConfig
}

// uriParams are strings only. A service_uri without a scheme has no user.
func uriParams(uri string, c connection) map[string]string {
	if u, err := url.Parse("//" + uri); err == nil && u.Port() != "" && u.User == nil {
		return map[string]string{"host": u.Hostname(), "port": u.Port()}
	}
	params := map[string]string{"user": c.user, "password": c.password, "ssl": "required"}
	for _, x := range c.components {
		if x.Usage == "primary" {
			params["host"], params["port"] = x.Host, fmt.Sprint(x.Port)
			break
		}
	}
	return params
}
