// SPDX-License-Identifier: Apache-2.0

package aivensim

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// ReadSeed reads a seed from JSON and validates it. Unknown fields are errors.
func ReadSeed(r io.Reader) (Seed, error) {
	dec := json.NewDecoder(r)
	dec.DisallowUnknownFields()
	var s Seed
	if err := dec.Decode(&s); err != nil {
		return Seed{}, fmt.Errorf("cannot decode seed: %w", err)
	}
	return s, s.Validate()
}

// Validate returns all that is wrong with a seed, or nil.
func (s Seed) Validate() error {
	var errs []error
	known := []Permission{"", PermissionAdmin, PermissionOperator, PermissionReadOnly, PermissionUsersWrite, PermissionServicesRead}
	for i, t := range s.Tokens {
		if t.Token == "" {
			errs = append(errs, fmt.Errorf("tokens[%d] is empty", i))
		}
		if !slices.Contains(known, t.Permissions) {
			errs = append(errs, fmt.Errorf("tokens[%d] has unknown permissions %q", i, t.Permissions))
		}
	}
	for i, p := range s.Projects {
		if p.Name == "" {
			errs = append(errs, fmt.Errorf("projects[%d] has no name", i))
		}
		for _, svc := range p.Services {
			if err := svc.validate(); err != nil {
				errs = append(errs, fmt.Errorf("project %q: %w", p.Name, err))
			}
		}
	}
	return errors.Join(errs...)
}

func (s Service) validate() error {
	switch {
	case s.Name == "":
		return errors.New("a service has no name")
	case serviceTypes[s.Type] == nil:
		return fmt.Errorf("service %q has unknown type %q", s.Name, s.Type)
	case s.State != "" && !slices.Contains(serviceStates, s.State):
		return fmt.Errorf("service %q has unknown state %q", s.Name, s.State)
	}
	return nil
}
