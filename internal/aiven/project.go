// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"
	"strings"
	"time"

	sdk "github.com/aiven/aiven-go-client/v2"
	"github.com/pkg/errors"
)

const (
	caTTL           = time.Hour
	kafkaServiceTTL = 10 * time.Minute

	typeKafka = "kafka"
)

// ProjectCA returns the certificates (PEM) that the project's services and client certificates are signed with. It is read
// once an hour.
func (c *Client) ProjectCA(ctx context.Context, project string) (string, error) {
	cl := newCall(opGetProjectCA, "get CA of project", project).reading()
	return c.cas.get(ctx, project, source{call: cl, changed: func() { c.projectChanged(project) }, read: func(ctx context.Context) (string, error) {
		return do(ctx, c, cl, func(ctx context.Context) (string, error) {
			ca, err := c.sdk.CA.Get(ctx, project)
			if err == nil && (isPlaceholder(ca) || !strings.Contains(ca, "-----BEGIN CERTIFICATE-----")) {
				err = errors.New("answer holds no certificate")
			}
			return ca, err
		})
	}})
}

// KafkaService returns the name of the project's Kafka service. It is looked up once in 10 minutes. ErrNoService and
// ErrAmbiguousService mean that there is none or more than one.
func (c *Client) KafkaService(ctx context.Context, project string) (string, error) {
	cl := newCall(opListServices, "find Kafka service of project", project).reading()
	return c.kafkas.get(ctx, project, source{call: cl, read: func(ctx context.Context) (string, error) {
		services, err := do(ctx, c, cl, func(ctx context.Context) ([]*sdk.Service, error) {
			return c.sdk.Services.List(ctx, project)
		})
		if err != nil {
			return "", err
		}
		name := ""
		for _, s := range services {
			switch {
			case s == nil || s.Type != typeKafka:
			case name != "":
				return "", cl.failed(ErrAmbiguousService, "the project has more than one Kafka service")
			default:
				name = s.Name
			}
		}
		if name == "" {
			return "", cl.failed(ErrNoService, "the project has no Kafka service")
		}
		return name, nil
	}})
}

// projectChanged tells the subscribers of every known service of a project.
func (c *Client) projectChanged(project string) {
	for _, e := range c.allEntries() {
		if e.ref.Project == project {
			c.subscribers.Tell(UserRef{ServiceRef: e.ref})
		}
	}
}
