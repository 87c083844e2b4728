// SPDX-License-Identifier: Apache-2.0

package node

import (
	"bytes"
	"embed"
	"os"
	"path/filepath"
	"text/template"

	"github.com/pkg/errors"
)

// settings are what the configuration files of a node's programs say.
type settings struct {
	Node     string
	Dir, PKI string

	Registry, PauseImage string

	Runc, Plugins, Snapshotter string

	Bridge, Pods, Gateway string

	KubeletPort, ProxyHealthPort, ProxyMetricsPort int
}

//go:embed config
var configFiles embed.FS

// configuration are the templates of the configuration files, by their names.
var configuration = template.Must(template.ParseFS(configFiles, "config/*"))

// settings returns the settings of this cluster.
func (c *Cluster) settings() settings {
	return settings{
		Node: nodeName, Dir: c.record.Dir, PKI: c.pki.dir,
		Registry: c.RegistryInCluster(), PauseImage: c.RegistryInCluster() + "/" + pauseImage,
		Runc: c.machine.programs["runc"], Plugins: c.machine.plugins, Snapshotter: snapshotter(c.record.Dir),
		Bridge: c.network.Bridge, Pods: c.network.Pods.String(), Gateway: c.network.gateway().String(),
		KubeletPort: c.ports.kubelet, ProxyHealthPort: c.ports.proxyHealth, ProxyMetricsPort: c.ports.proxyMetrics,
	}
}

// render returns the content of a configuration file.
func (s settings) render(name string) ([]byte, error) {
	var b bytes.Buffer
	if err := configuration.ExecuteTemplate(&b, name, s); err != nil {
		return nil, errors.Wrapf(err, "cannot render %s", name)
	}
	return b.Bytes(), nil
}

// write writes configuration files. The keys are their paths below the cluster's
// folder.
func (s settings) write(files map[string]string) error {
	for path, name := range files {
		b, err := s.render(name)
		if err != nil {
			return err
		}
		path = filepath.Join(s.Dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return errors.Wrapf(err, "cannot make the folder of %s", name)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			return errors.Wrapf(err, "cannot write %s", name)
		}
	}
	return nil
}
