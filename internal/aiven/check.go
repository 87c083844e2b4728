// SPDX-License-Identifier: Apache-2.0

package aiven

import (
	"context"

	sdk "github.com/aiven/aiven-go-client/v2"
)

// CheckProject asks for the list of a project's services: whether the token reaches the project. ErrForbidden and
// ErrServiceNotFound mean that it does not.
func (c *Client) CheckProject(ctx context.Context, project string) error {
	cl := newCall(opListServices, "list services of project", project).reading()
	_, err := do(ctx, c, cl, func(ctx context.Context) ([]*sdk.Service, error) { return c.sdk.Services.List(ctx, project) })
	return err
}
