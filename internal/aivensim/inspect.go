// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"
)

// State is what the inspection API tells about a server.
type State struct {
	// Now is the time by the server's clock.
	Now time.Time `json:"now"`
	// Projects by name.
	Projects []ProjectState `json:"projects"`
}

// ProjectState is a project within a State.
type ProjectState struct {
	// Name of the project.
	Name string `json:"name"`
	// Services by name.
	Services []ServiceState `json:"services"`
}

// ServiceState is a service within a State.
type ServiceState struct {
	// Name of the service.
	Name string `json:"name"`
	// Type of the service.
	Type string `json:"type"`
	// State of the service.
	State string `json:"state"`
	// UserLimit that is in force; 0 means none.
	UserLimit int `json:"user_limit"`
	// Users, the built-in one first; without credentials unless asked for.
	Users []User `json:"users"`
	// KafkaACL of a kafka service.
	KafkaACL []KafkaACLEntry `json:"kafka_acl,omitempty"`
	// SchemaRegistryACL of a kafka service.
	SchemaRegistryACL []SchemaRegistryACLEntry `json:"schema_registry_acl,omitempty"`
	// OpenSearchACL of an opensearch service.
	OpenSearchACL *OpenSearchACLConfig `json:"opensearch_acl,omitempty"`
}

// newInspection serves the API below /-/ that package documentation describes.
func (s *Server) newInspection() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /-/state", func(w http.ResponseWriter, r *http.Request) {
		state := s.state()
		if !wantsSecrets(r) {
			state.hideCredentials()
		}
		reply(w, state)
	})
	mux.HandleFunc("GET /-/requests", func(w http.ResponseWriter, r *http.Request) {
		requests := append([]Request{}, s.Requests()...)
		for i := range requests {
			if !wantsSecrets(r) {
				requests[i].Body = nil
			}
		}
		reply(w, requests)
	})
	mux.HandleFunc("DELETE /-/requests", func(w http.ResponseWriter, _ *http.Request) {
		s.ResetRequests()
		reply(w, struct{}{})
	})
	mux.HandleFunc("GET /-/stats", func(w http.ResponseWriter, _ *http.Request) { reply(w, s.Stats()) })
	mux.HandleFunc("POST /-/faults", s.postFault)
	mux.HandleFunc("DELETE /-/faults", func(w http.ResponseWriter, _ *http.Request) {
		s.ClearFaults()
		reply(w, struct{}{})
	})
	mux.HandleFunc("PUT /-/services/{project}/{service}", s.putService)
	mux.HandleFunc("DELETE /-/users/{project}/{service}/{user}", s.removeUser)
	mux.HandleFunc("POST /-/logins/{project}/{service}", s.postLogin)
	mux.HandleFunc("POST /-/clock", s.postClock)
	return mux
}

func wantsSecrets(r *http.Request) bool { return r.URL.Query().Get("secrets") == "true" }

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	_, _ = w.Write(append(mustJSON(v), '\n'))
}

func refuse(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(append(mustJSON(map[string]string{keyMessage: message}), '\n'))
}

// decodeInto reads a body strictly; it has answered when it returns false.
func decodeInto(w http.ResponseWriter, r *http.Request, v any) bool {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		refuse(w, http.StatusBadRequest, fmt.Sprintf("cannot decode body: %v", err))
		return false
	}
	return true
}

func (s *Server) postFault(w http.ResponseWriter, r *http.Request) {
	var f Fault
	if decodeInto(w, r, &f) {
		s.Inject(f)
		reply(w, f)
	}
}

func (s *Server) postClock(w http.ResponseWriter, r *http.Request) {
	var req struct {
		Advance string `json:"advance"`
	}
	if !decodeInto(w, r, &req) {
		return
	}
	d, err := time.ParseDuration(req.Advance)
	if err != nil || d < 0 {
		refuse(w, http.StatusBadRequest, `advance is not a positive duration such as "720h"`)
		return
	}
	s.Advance(d)
	reply(w, map[string]time.Time{"now": s.Now()})
}

// putService adds a service, or changes state and limit of one that exists where they are given.
func (s *Server) putService(w http.ResponseWriter, r *http.Request) {
	var in Service
	if !decodeInto(w, r, &in) {
		return
	}
	project, name := r.PathValue("project"), r.PathValue("service")
	in.Name = name
	exists := false
	s.look(project, name, func(svc *service) {
		exists = true
		if in.Type == "" {
			in.Type = svc.kind.name
		}
	})
	if err := in.validate(); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if !exists {
		s.AddService(project, in)
		reply(w, struct{}{})
		return
	}
	if in.State != "" {
		s.SetServiceState(project, name, in.State)
	}
	if in.UserLimit != 0 {
		s.SetUserLimit(project, name, in.UserLimit)
	}
	reply(w, struct{}{})
}

func (s *Server) removeUser(w http.ResponseWriter, r *http.Request) {
	project, name, username := r.PathValue("project"), r.PathValue("service"), r.PathValue("user")
	if _, ok := s.User(project, name, username); !ok {
		refuse(w, http.StatusNotFound, "no such user")
		return
	}
	s.DeleteUser(project, name, username)
	reply(w, struct{}{})
}

func (s *Server) state() State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := State{Now: s.Now(), Projects: []ProjectState{}}
	for _, name := range slices.Sorted(maps.Keys(s.projects)) {
		p := ProjectState{Name: name, Services: []ServiceState{}}
		for _, svc := range slices.Sorted(maps.Keys(s.projects[name].services)) {
			p.Services = append(p.Services, s.projects[name].services[svc].inspect())
		}
		out.Projects = append(out.Projects, p)
	}
	return out
}

// hideCredentials of all users.
func (s *State) hideCredentials() {
	for _, p := range s.Projects {
		for _, svc := range p.Services {
			for i := range svc.Users {
				u := &svc.Users[i]
				u.Password, u.AccessCert, u.AccessKey = "", "", ""
			}
		}
	}
}

func (svc *service) inspect() ServiceState {
	out := ServiceState{
		Name:              svc.name,
		Type:              svc.kind.name,
		State:             svc.state,
		UserLimit:         svc.userLimit(),
		Users:             []User{},
		KafkaACL:          slices.Clone(svc.kafkaACL),
		SchemaRegistryACL: slices.Clone(svc.schemaACL),
	}
	for _, u := range svc.order {
		out.Users = append(out.Users, u.export())
	}
	if svc.kind.openSearch {
		c := svc.openSearch.clone()
		out.OpenSearchACL = &c
	}
	return out
}
