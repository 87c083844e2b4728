// SPDX-License-Identifier: Apache-2.0

package serviceuser

import (
	"testing"

	"github.com/crossplane/crossplane-runtime/v2/pkg/reconciler/managed"
	"github.com/crossplane/crossplane-runtime/v2/pkg/resource"
	xpv2 "github.com/crossplane/crossplane/apis/v2/core/v2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/provider-aiven/provider-aiven/apis"
	"github.com/provider-aiven/provider-aiven/apis/v1alpha1"
)

// TestRestoredSecret: a connection Secret that a backup brought back without its owner
// is owned again, though it holds what it should.
func TestRestoredSecret(t *testing.T) {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, apis.AddToScheme} {
		if err := add(s); err != nil {
			t.Fatal(err)
		}
	}
	mg := &v1alpha1.ValkeyServiceUser{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders", UID: "uid"}}
	mg.SetWriteConnectionSecretToReference(&xpv2.LocalSecretReference{Name: "orders-conn"})
	data := map[string][]byte{"password": []byte("secret")}
	restored := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "orders-conn"}, Type: resource.SecretTypeConnection, Data: data}
	kube := fake.NewClientBuilder().WithScheme(s).WithObjects(restored).Build()

	p := managed.NewAPILocalSecretPublisher(quietClient{Client: kube, secrets: &ownSecrets{}}, s)
	for range 2 {
		if _, err := p.PublishConnection(t.Context(), mg, data); err != nil {
			t.Fatalf("PublishConnection(...): %v", err)
		}
		got := &corev1.Secret{}
		if err := kube.Get(t.Context(), client.ObjectKeyFromObject(restored), got); err != nil {
			t.Fatal(err)
		}
		if !metav1.IsControlledBy(got, mg) || string(got.Data["password"]) != "secret" {
			t.Errorf("owners are %v, %d keys", got.GetOwnerReferences(), len(got.Data))
		}
	}
}
