// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/crossplane/function-sdk-go/resource/composed"

const (
	// container is the name of the Deployment's container.
	container = "probe"
	// port is where the container tells whether it is ready.
	port = 8080
	// volume is the name of the Secret's volume, and mountPath where it is.
	volume    = "credentials"
	mountPath = "/credentials"
)

// secretName returns the name of the Secret that the provider publishes for an application
// that names none. It is another one for names of more than 57 characters.
func secretName(application string) string { return application + "-aiven" }

// An object and a list hold what JSON can. The types of Kubernetes would do too, but the
// kit turns each field of theirs that is left out into a zero, and the function would own it.
type (
	object = map[string]any
	list   = []any
)

// application returns the AivenApplication of a composite. Its namespace, as that of
// everything composed, is the composite's: Crossplane sees to that.
func application(name string, spec shopSpec) *composed.Unstructured {
	out := composed.New()
	out.SetAPIVersion("aiven.nais.io/v1")
	out.SetKind("AivenApplication")
	out.SetName(name)
	out.Object["spec"] = object{
		"kafka":      object{"pool": spec.KafkaPool},
		"openSearch": object{"instance": spec.OpenSearchInstance},
	}
	return out
}

// variables returns the environment of the container. Single keys, as the key stores of
// Kafka are binary and no variables.
func variables(secret string) list {
	var out list
	for _, key := range []string{
		"KAFKA_SCHEMA_REGISTRY_USER", "KAFKA_SCHEMA_REGISTRY_PASSWORD", "KAFKA_CERTIFICATE", "KAFKA_PRIVATE_KEY",
		"OPEN_SEARCH_USERNAME", "OPEN_SEARCH_PASSWORD",
	} {
		out = append(out, object{"name": key, "valueFrom": object{"secretKeyRef": object{"name": secret, "key": key}}})
	}
	return out
}

// deployment returns the Deployment of a composite. Its pods wait until the Secret is
// there, and get it as environment and as files.
func deployment(name string, spec shopSpec) *composed.Unstructured {
	labels := object{"app": name}
	probe := object{
		"name":         container,
		"image":        spec.Image,
		"args":         spec.ProbeArgs,
		"ports":        list{object{"containerPort": port}},
		"env":          variables(secretName(name)),
		"volumeMounts": list{object{"name": volume, "mountPath": mountPath, "readOnly": true}},
		"readinessProbe": object{
			"httpGet":       object{"path": "/readyz", "port": port},
			"periodSeconds": 1,
		},
	}
	out := composed.New()
	out.SetAPIVersion("apps/v1")
	out.SetKind("Deployment")
	out.SetName(name)
	out.Object["spec"] = object{
		"selector": object{"matchLabels": labels},
		"template": object{
			"metadata": object{"labels": labels},
			"spec": object{
				"containers": list{probe},
				"volumes":    list{object{"name": volume, "secret": object{"secretName": secretName(name)}}},
			},
		},
	}
	return out
}
