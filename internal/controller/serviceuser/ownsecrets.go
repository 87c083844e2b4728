// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"bytes"
	"crypto/sha256"
	"maps"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

const (
	// recallFor is how long we take our own word for what a connection Secret
	// holds. Around the creation of a user the publisher asks three times within a
	// second; what somebody else does to the Secret meanwhile, the next poll sees.
	recallFor = 5 * time.Second

	maxRecalled = 4096
)

// ownSecrets remember for a moment what we know of connection Secrets: that one
// does not exist, or what we wrote. Safe for concurrent use.
type ownSecrets struct {
	mu sync.Mutex
	by map[client.ObjectKey]knownSecret
}

type knownSecret struct {
	at     time.Time
	absent bool
	sum    []byte
}

// recall answers for a Secret, if it is known: absent, or holding what is wanted.
// Every answer is given once.
func (o *ownSecrets) recall(key client.ObjectKey, want map[string][]byte) (known bool, err error) {
	if len(want) == 0 {
		return false, nil
	}
	o.mu.Lock()
	k, ok := o.by[key]
	delete(o.by, key)
	o.mu.Unlock()
	switch {
	case !ok || time.Since(k.at) > recallFor:
		return false, nil
	case k.absent:
		return true, kerrors.NewNotFound(schema.GroupResource{Resource: "secrets"}, key.Name)
	default:
		return bytes.Equal(k.sum, sum(want)), nil
	}
}

// read takes note of a Secret that was found not to exist.
func (o *ownSecrets) read(key client.ObjectKey, err error) {
	if kerrors.IsNotFound(err) {
		o.remember(key, knownSecret{absent: true})
	}
}

// wrote takes note of what was written.
func (o *ownSecrets) wrote(s *corev1.Secret, data map[string][]byte, err error) {
	if err == nil {
		o.remember(client.ObjectKeyFromObject(s), knownSecret{sum: sum(data)})
	}
}

func (o *ownSecrets) remember(key client.ObjectKey, k knownSecret) {
	k.at = time.Now()
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.by == nil || len(o.by) >= maxRecalled {
		o.by = make(map[client.ObjectKey]knownSecret)
	}
	o.by[key] = k
}

func sum(data map[string][]byte) []byte {
	h := sha256.New()
	for _, k := range slices.Sorted(maps.Keys(data)) {
		h.Write([]byte(k))
		h.Write([]byte{0})
		h.Write(data[k])
		h.Write([]byte{0})
	}
	return h.Sum(nil)
}
