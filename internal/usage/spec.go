// SPDX-License-Identifier: Apache-2.0

package usage

import (
	"slices"

	corev1 "k8s.io/api/core/v1"
)

// names gathers names of Secrets.
type names []string

func (n *names) add(name string) {
	if name != "" {
		*n = append(*n, name)
	}
}

func (n *names) addRef(r *corev1.LocalObjectReference) {
	if r != nil {
		n.add(r.Name)
	}
}

// secretsOf returns, sorted and once each, the Secrets that Pods of the supplied
// spec refer to.
func secretsOf(s *corev1.PodSpec) []string {
	var n names
	for i := range s.ImagePullSecrets {
		n.addRef(&s.ImagePullSecrets[i])
	}
	for i := range s.Volumes {
		n.addVolume(&s.Volumes[i].VolumeSource)
	}
	for i := range s.InitContainers {
		n.addEnv(s.InitContainers[i].Env, s.InitContainers[i].EnvFrom)
	}
	for i := range s.Containers {
		n.addEnv(s.Containers[i].Env, s.Containers[i].EnvFrom)
	}
	for i := range s.EphemeralContainers {
		n.addEnv(s.EphemeralContainers[i].Env, s.EphemeralContainers[i].EnvFrom)
	}
	slices.Sort(n)
	return slices.Compact(n)
}

func (n *names) addEnv(env []corev1.EnvVar, from []corev1.EnvFromSource) {
	for i := range env {
		if v := env[i].ValueFrom; v != nil && v.SecretKeyRef != nil {
			n.addRef(&v.SecretKeyRef.LocalObjectReference)
		}
	}
	for i := range from {
		if s := from[i].SecretRef; s != nil {
			n.addRef(&s.LocalObjectReference)
		}
	}
}

func (n *names) addVolume(v *corev1.VolumeSource) {
	switch {
	case v.Secret != nil:
		n.add(v.Secret.SecretName)
	case v.Projected != nil:
		for i := range v.Projected.Sources {
			if s := v.Projected.Sources[i].Secret; s != nil {
				n.addRef(&s.LocalObjectReference)
			}
		}
	case v.CSI != nil:
		n.addRef(v.CSI.NodePublishSecretRef)
	case v.AzureFile != nil:
		n.add(v.AzureFile.SecretName)
	default:
		n.addRef(driverSecret(v))
	}
}

// driverSecret returns the reference to the credentials of a driver of the days
// before CSI.
func driverSecret(v *corev1.VolumeSource) *corev1.LocalObjectReference {
	switch {
	case v.CephFS != nil:
		return v.CephFS.SecretRef
	case v.Cinder != nil:
		return v.Cinder.SecretRef
	case v.FlexVolume != nil:
		return v.FlexVolume.SecretRef
	case v.ISCSI != nil:
		return v.ISCSI.SecretRef
	case v.RBD != nil:
		return v.RBD.SecretRef
	case v.ScaleIO != nil:
		return v.ScaleIO.SecretRef
	case v.StorageOS != nil:
		return v.StorageOS.SecretRef
	default:
		return nil
	}
}
