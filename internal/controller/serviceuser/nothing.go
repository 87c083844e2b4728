// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"context"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
)

// nothing is the client of a managed resource that was refused and is being
// deleted: it has no user, and the one that it names is not touched.
type nothing[T ServiceUser] struct{}

func (nothing[T]) Observe(context.Context, T) (managed.ExternalObservation, error) {
	return managed.ExternalObservation{}, nil
}

func (nothing[T]) Create(context.Context, T) (managed.ExternalCreation, error) {
	return managed.ExternalCreation{}, nil
}

func (nothing[T]) Update(context.Context, T) (managed.ExternalUpdate, error) {
	return managed.ExternalUpdate{}, nil
}

func (nothing[T]) Delete(context.Context, T) (managed.ExternalDelete, error) {
	return managed.ExternalDelete{}, nil
}

func (nothing[T]) Disconnect(context.Context) error { return nil }
